#include "edg_int.h"

static void pad(edg_sha256 *s, const uint8_t *key, uint8_t key_len, uint8_t with)
{
    uint8_t i;

    edg_sha256_init(s);
    for (i = 0; i < 64; i++)
        s->block[i] = (uint8_t)((i < key_len ? key[i] : 0) ^ with);
    edg_sha256_block(s->state, s->block);
    s->length = 64;
}

void edg_hmac_init(edg_sha256 *s, const uint8_t *key, uint8_t key_len)
{
    EDG_ON_HMAC();
    pad(s, key, key_len, 0x36);
}

void edg_hmac_final(edg_sha256 *s, const uint8_t *key, uint8_t key_len, uint8_t out[32])
{
    edg_sha256_final(s, out); /* the inner digest, on its way */
    pad(s, key, key_len, 0x5c);
    edg_sha256_update(s, out, 32);
    edg_sha256_final(s, out);
}
