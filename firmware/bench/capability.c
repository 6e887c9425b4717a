/* A compression, an HMAC, and a capability of two frames verified with nothing kept but its branch's key: on every core. */
#include "mark.h"
#include "verify.h"

#include "messages.h"

/* sha256_block.S of the ATmega328P wants the block aligned to 64 bytes; it is the device's first member. */
static edg_device desk __attribute__((aligned(64)));
static edg_pads branch, key;
static uint8_t message[sizeof stateless_0], carried[sizeof carried_0];

/* What a caller does for a request whose key is not ready: an HMAC of 32 bytes in 4 compressions. */
static void sign(uint8_t key_len)
{
    edg_pads_make(&desk.sha, &key, message, key_len);
    edg_hmac_begin(&desk.sha, &key);
    edg_sha256_update(&desk.sha, message, 32);
    edg_hmac_end(&desk.sha, &key);
}

static void hmacs(void)
{
    edg_sha256_init(&desk.sha);
    edg_mark_sha256();
    edg_sha256_block(desk.sha.state, desk.sha.block);
    edg_mark_sign();
    sign(32);
    edg_mark_hmac128();
    sign(16);
    edg_mark_end();
}

int bench_run(void)
{
    uint8_t copy[EDG_KEY];
    int good;

    edg_pgm_copy(message, stateless_0, sizeof message);
    hmacs();
    edg_pgm_copy(copy, hmac_0, sizeof copy);
    if (memcmp(edg_digest(&desk), copy, sizeof copy) != 0)
        return 1;
    edg_pgm_copy(copy, epoch_key_0, sizeof copy);
    edg_pgm_copy(carried, carried_0, sizeof carried);
    bench_branch_key(&desk, copy, carried, &branch);
    edg_mark_verify2();
    good = bench_verify(&desk, &branch, carried, sizeof carried, message, sizeof message);
    edg_mark_end();
    if (!good)
        return 2;
    message[sizeof message - 1] ^= 1; /* the valve's percent */
    if (bench_verify(&desk, &branch, carried, sizeof carried, message, sizeof message))
        return 3;
    message[sizeof message - 1] ^= 1;
    carried[sizeof carried - 1] ^= 1; /* the function's name */
    return bench_verify(&desk, &branch, carried, sizeof carried, message, sizeof message) ? 4 : 0;
}
