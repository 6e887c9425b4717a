/* RSA-2048 with SHA-256 (PKCS #1 v1.5) by BearSSL's i15: constant time, made for small cores. */
#include "bearssl.h"

#include <string.h>

#include "keys.h"
#include "mark.h"

#define OF(a) a, sizeof a

int bench_run(void)
{
    static const br_rsa_private_key private = {2048, OF(key_rsa_p), OF(key_rsa_q), OF(key_rsa_dp), OF(key_rsa_dq), OF(key_rsa_iq)};
    static const br_rsa_public_key public = {OF(key_rsa_n), OF(key_rsa_e)};
    static unsigned char signature[sizeof key_rsa_signature], digest[32];
    uint32_t good;

    edg_mark_rsa2048_sign();
    good = br_rsa_i15_pkcs1_sign(BR_HASH_OID_SHA256, OF(key_digest), &private, signature);
    edg_mark_end();
    if (!good || memcmp(signature, key_rsa_signature, sizeof signature) != 0)
        return 1;
    edg_mark_rsa2048_verify();
    good = br_rsa_i15_pkcs1_vrfy(OF(signature), BR_HASH_OID_SHA256, sizeof digest, &public, digest);
    edg_mark_end();
    if (!good || memcmp(digest, key_digest, sizeof digest) != 0)
        return 2;
    signature[100] ^= 1;
    good = br_rsa_i15_pkcs1_vrfy(OF(signature), BR_HASH_OID_SHA256, sizeof digest, &public, digest);
    return good && memcmp(digest, key_digest, sizeof digest) == 0 ? 3 : 0;
}
