#include "edg_int.h"

/* One pad of the key through the compression; the state after it goes to `out`. */
static void pad(edg_sha256 *s, const uint8_t *key, uint8_t key_len, uint8_t with, uint8_t *out)
{
    uint8_t i;

    for (i = 0; i < sizeof s->block; i++)
        s->block[i] = (uint8_t)((i < key_len ? key[i] : 0) ^ with);
    edg_sha256_init(s);
    edg_sha256_block(s->state, s->block);
    edg_copy(out, s->state, sizeof s->state);
}

void edg_pads_make(edg_sha256 *s, edg_pads *pads, const uint8_t *key, uint8_t key_len)
{
    edg_copy(pads->outer, key, key_len); /* it may stand in the block, which the first pad destroys */
    pad(s, pads->outer, key_len, 0x36, pads->inner);
    pad(s, pads->outer, key_len, 0x5c, pads->outer);
}

void edg_hmac_begin(edg_sha256 *s, const edg_pads *pads)
{
    EDG_ON_HMAC();
    edg_copy(s->state, pads->inner, sizeof s->state);
    s->length = 64;
}

void edg_hmac_end(edg_sha256 *s, const edg_pads *pads)
{
    edg_sha256_final(s, s->block); /* the inner digest: the first half of the outer block */
    edg_copy(s->state, pads->outer, sizeof s->state);
    s->length = 64 + 32;
    edg_sha256_final(s, s->block);
}

void edg_hmac_init(edg_sha256 *s, const uint8_t *key, uint8_t key_len)
{
    edg_pads pads;

    edg_pads_make(s, &pads, key, key_len);
    edg_hmac_begin(s, &pads);
}

void edg_hmac_final(edg_sha256 *s, const uint8_t *key, uint8_t key_len, uint8_t out[32])
{
    edg_pads pads;
    uint8_t inner[32];

    edg_sha256_final(s, inner);
    edg_pads_make(s, &pads, key, key_len);
    edg_copy(s->state, pads.outer, sizeof s->state);
    s->length = 64;
    edg_sha256_update(s, inner, sizeof inner);
    edg_sha256_final(s, out);
}
