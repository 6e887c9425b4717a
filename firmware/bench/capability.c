/* A compression, an HMAC, and a capability of two frames verified with nothing kept but its branch's key: on every core. */
#include "mark.h"
#include "verify.h"

#include "messages.h"

/* sha256_block.S of the ATmega328P wants the block aligned to 64 bytes; it is the device's first member. */
static edg_device desk __attribute__((aligned(64)));
static uint8_t key[EDG_KEY], message[sizeof stateless_0], sum[32];

/* FIPS 180-4 and RFC 2104 are tested elsewhere; here it is enough that the sum is none of zeros. */
static int hmacs(void)
{
    edg_sha256_init(&desk.sha);
    edg_mark_sha256();
    edg_sha256_block(desk.sha.state, desk.sha.block);
    edg_mark_sign();
    edg_hmac_init(&desk.sha, key, 32);
    edg_sha256_update(&desk.sha, message, 32);
    edg_hmac_final(&desk.sha, key, 32, sum);
    edg_mark_sign128();
    edg_hmac_init(&desk.sha, key, 16);
    edg_sha256_update(&desk.sha, message, 32);
    edg_hmac_final(&desk.sha, key, 16, sum);
    edg_mark_end();
    return (sum[0] | sum[1] | sum[2] | sum[3]) != 0;
}

int bench_run(void)
{
    int good;

    edg_pgm_copy(key, branch_key_0, sizeof key);
    edg_pgm_copy(message, stateless_0, sizeof message);
    if (!hmacs())
        return 1;
    edg_mark_verify2();
    good = bench_verify(&desk, key, message, sizeof message);
    edg_mark_end();
    if (!good)
        return 2;
    message[sizeof message - 1] ^= 1; /* the valve's percent */
    return bench_verify(&desk, key, message, sizeof message) ? 3 : 0;
}
