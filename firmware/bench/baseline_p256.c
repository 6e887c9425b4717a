/* ECDSA P-256 with SHA-256 by BearSSL's m15: constant time, made for small cores. */
#include "bearssl.h"

#include <string.h>

#include "keys.h"
#include "mark.h"

int bench_run(void)
{
    static const br_ec_private_key private = {BR_EC_secp256r1, key_p256_private, sizeof key_p256_private};
    static const br_ec_public_key public = {BR_EC_secp256r1, key_p256_public, sizeof key_p256_public};
    static unsigned char signature[64];
    size_t n;
    uint32_t good;

    edg_mark_p256_sign();
    n = br_ecdsa_i15_sign_raw(&br_ec_p256_m15, &br_sha256_vtable, key_digest, &private, signature);
    edg_mark_end();
    if (n != sizeof signature || memcmp(signature, key_p256_signature, n) != 0)
        return 1;
    edg_mark_p256_verify();
    good = br_ecdsa_i15_vrfy_raw(&br_ec_p256_m15, key_digest, sizeof key_digest, &public, signature, n);
    edg_mark_end();
    if (!good)
        return 2;
    signature[40] ^= 1;
    return br_ecdsa_i15_vrfy_raw(&br_ec_p256_m15, key_digest, sizeof key_digest, &public, signature, n) ? 3 : 0;
}
