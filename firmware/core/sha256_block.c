#include "edg_int.h"

#if !defined(EDG_PORT_SHA256_BLOCK) && EDG_SHA256_BYTES

/* The compression function of FIPS 180-4 6.2.2, written for 8-bit machines (sha256_word.c is for the others): there a rotation by 8 or 16 is a renaming of bytes and
 * one by 1 is four instructions, so every rotation is composed of these two. The message schedule is a ring of 16 words in the
 * block itself, big-endian as it arrived. */

static const uint32_t k[64] EDG_PGM = {
    0x428a2f98UL, 0x71374491UL, 0xb5c0fbcfUL, 0xe9b5dba5UL, 0x3956c25bUL, 0x59f111f1UL, 0x923f82a4UL, 0xab1c5ed5UL,
    0xd807aa98UL, 0x12835b01UL, 0x243185beUL, 0x550c7dc3UL, 0x72be5d74UL, 0x80deb1feUL, 0x9bdc06a7UL, 0xc19bf174UL,
    0xe49b69c1UL, 0xefbe4786UL, 0x0fc19dc6UL, 0x240ca1ccUL, 0x2de92c6fUL, 0x4a7484aaUL, 0x5cb0a9dcUL, 0x76f988daUL,
    0x983e5152UL, 0xa831c66dUL, 0xb00327c8UL, 0xbf597fc7UL, 0xc6e00bf3UL, 0xd5a79147UL, 0x06ca6351UL, 0x14292967UL,
    0x27b70a85UL, 0x2e1b2138UL, 0x4d2c6dfcUL, 0x53380d13UL, 0x650a7354UL, 0x766a0abbUL, 0x81c2c92eUL, 0x92722c85UL,
    0xa2bfe8a1UL, 0xa81a664bUL, 0xc24b8b70UL, 0xc76c51a3UL, 0xd192e819UL, 0xd6990624UL, 0xf40e3585UL, 0x106aa070UL,
    0x19a4c116UL, 0x1e376c08UL, 0x2748774cUL, 0x34b0bcb5UL, 0x391c0cb3UL, 0x4ed8aa4aUL, 0x5b9cca4fUL, 0x682e6ff3UL,
    0x748f82eeUL, 0x78a5636fUL, 0x84c87814UL, 0x8cc70208UL, 0x90befffaUL, 0xa4506cebUL, 0xbef9a3f7UL, 0xc67178f2UL,
};

static inline uint32_t l1(uint32_t x) { return (x << 1) | (x >> 31); }
static inline uint32_t r1(uint32_t x) { return (x >> 1) | ((uint32_t)(uint8_t)((uint8_t)x << 7) << 24); }
static inline uint32_t r8(uint32_t x) { return (x >> 8) | (x << 24); }
static inline uint32_t r16(uint32_t x) { return (x >> 16) | (x << 16); }

/* rotr 6 ^ rotr 11 ^ rotr 25 */
static uint32_t big1(uint32_t x)
{
    uint32_t y = x ^ l1(l1(r16(x)));      /* x ^ rotr 14 */

    y = x ^ l1(l1(l1(r8(y))));            /* x ^ rotr 5 of that */
    return l1(l1(r8(y)));                 /* rotr 6 of all */
}

/* rotr 2 ^ rotr 13 ^ rotr 22 */
static uint32_t big0(uint32_t x)
{
    uint32_t y = x ^ r1(r8(x));           /* x ^ rotr 9 */

    y = x ^ r1(r1(r1(r8(y))));            /* x ^ rotr 11 of that */
    return r1(r1(y));                     /* rotr 2 of all */
}

/* rotr 7 ^ rotr 18 ^ shr 3 */
static uint32_t small0(uint32_t x)
{
    uint32_t y = x ^ r1(r1(r1(r8(x)))); /* x ^ rotr 11 */

    return l1(r8(y)) ^ (x >> 3);
}

/* rotr 17 ^ rotr 19 ^ shr 10 */
static uint32_t small1(uint32_t x)
{
    uint32_t y = x ^ r1(r1(x)); /* x ^ rotr 2 */

    return r1(r16(y)) ^ ((x >> 8) >> 2);
}

void edg_sha256_block(uint32_t state[8], uint8_t block[64])
{
    uint32_t v[8];
    uint8_t i;

    memcpy(v, state, sizeof v);
    for (i = 0; i < 64; i++) {
        uint8_t *at = block + 4 * (i & 15);
        uint32_t w = edg_load32(at);
        uint32_t t;

        if (i >= 16) {
            w += small0(edg_load32(block + 4 * ((i + 1) & 15)));
            w += edg_load32(block + 4 * ((i + 9) & 15));
            w += small1(edg_load32(block + 4 * ((i + 14) & 15)));
            edg_store32(at, w);
        }
        t = w + v[7] + edg_pgm_u32(&k[i]);
        t += big1(v[4]);
        t += v[6] ^ (v[4] & (v[5] ^ v[6]));
        w = (v[0] & v[1]) ^ (v[2] & (v[0] ^ v[1]));
        w += big0(v[0]) + t;
        t += v[3];
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] = t;
        v[0] = w;
    }
    for (i = 0; i < 8; i++)
        state[i] += v[i];
    edg_wipe(v, sizeof v);
}

#endif
