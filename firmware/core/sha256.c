#include "edg_int.h"

static const uint32_t initial[8] EDG_PGM = {
    0x6a09e667UL, 0xbb67ae85UL, 0x3c6ef372UL, 0xa54ff53aUL, 0x510e527fUL, 0x9b05688cUL, 0x1f83d9abUL, 0x5be0cd19UL,
};

void edg_sha256_init(edg_sha256 *s)
{
    edg_pgm_copy(s->state, initial, sizeof s->state);
    s->length = 0;
}

void edg_sha256_update(edg_sha256 *s, const void *data, edg_len n)
{
    const uint8_t *p = data;
    uint8_t at = (uint8_t)(s->length & 63u);

    s->length = (uint16_t)(s->length + n);
    for (; n > 0; n--) {
        s->block[at++] = *p++;
        if (at == sizeof s->block) {
            edg_sha256_block(s->state, s->block);
            at = 0;
        }
    }
}

void edg_sha256_final(edg_sha256 *s, uint8_t out[32])
{
    uint8_t fill = (uint8_t)(s->length & 63u);
    uint8_t i;

    s->block[fill++] = 0x80;
    if (fill > 56) {
        memset(s->block + fill, 0, (size_t)(64 - fill));
        edg_sha256_block(s->state, s->block);
        fill = 0;
    }
    memset(s->block + fill, 0, (size_t)(64 - fill));
    s->block[61] = (uint8_t)(s->length >> 13); /* bits: length * 8 */
    s->block[62] = (uint8_t)(s->length >> 5);
    s->block[63] = (uint8_t)(s->length << 3);
    edg_sha256_block(s->state, s->block);
    for (i = 0; i < 8; i++)
        edg_store32(out + 4 * i, s->state[i]);
}
