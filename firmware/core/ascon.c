#include "edg_int.h"

/* The state is S0..S4 of SP 800-232, each with its low byte first: bytes meet it in the order in which they come. */

enum { RATE = 16, ROUNDS_12 = 0xF0, ROUNDS_8 = 0xB4 }; /* the constant of the round to begin with */

#ifndef EDG_PORT_ASCON_PERMUTE

static inline uint64_t ror(uint64_t x, uint8_t n) { return x >> n | x << (64 - n); }

void edg_ascon_permute(uint8_t s[EDG_ASCON], uint8_t c)
{
    uint64_t x[5] = {0, 0, 0, 0, 0};
    uint8_t i;

    for (i = EDG_ASCON; i-- > 0;)
        x[i / 8] = x[i / 8] << 8 | s[i];
    for (; c != 0x3C; c = (uint8_t)(c - 0x0F)) {
        uint64_t t0, t1, t2, t3, t4;

        x[2] ^= c;
        x[0] ^= x[4];
        x[4] ^= x[3];
        x[2] ^= x[1];
        t0 = x[0] ^ (~x[1] & x[2]);
        t1 = x[1] ^ (~x[2] & x[3]);
        t2 = x[2] ^ (~x[3] & x[4]);
        t3 = x[3] ^ (~x[4] & x[0]);
        t4 = x[4] ^ (~x[0] & x[1]);
        t1 ^= t0;
        t0 ^= t4;
        t3 ^= t2;
        t2 = ~t2;
        x[0] = t0 ^ ror(t0, 19) ^ ror(t0, 28);
        x[1] = t1 ^ ror(t1, 61) ^ ror(t1, 39);
        x[2] = t2 ^ ror(t2, 1) ^ ror(t2, 6);
        x[3] = t3 ^ ror(t3, 10) ^ ror(t3, 17);
        x[4] = t4 ^ ror(t4, 7) ^ ror(t4, 41);
    }
    for (i = 0; i < EDG_ASCON; i++) {
        s[i] = (uint8_t)x[i / 8];
        x[i / 8] >>= 8;
    }
}

#endif

static void add16(uint8_t *s, const uint8_t *from)
{
    uint8_t i;

    for (i = 0; i < 16; i++)
        s[i] ^= from[i];
}

void edg_ascon_begin(uint8_t s[EDG_ASCON], const uint8_t key[16], const uint8_t nonce[16])
{
    memset(s, 0, 8); /* IV 00001000808c0001 */
    s[0] = 0x01;
    s[2] = 0x8C;
    s[3] = 0x80;
    s[5] = 0x10;
    edg_copy(s + 8, key, 16);
    edg_copy(s + 24, nonce, 16);
    edg_ascon_permute(s, ROUNDS_12);
    add16(s + 24, key);
}

void edg_ascon_data(uint8_t s[EDG_ASCON], const uint8_t *data, uint16_t n)
{
    uint8_t i = 0;

    if (n == 0)
        return;
    for (; n > 0; n--) {
        s[i++] ^= *data++;
        if (i == RATE) {
            edg_ascon_permute(s, ROUNDS_8);
            i = 0;
        }
    }
    s[i] ^= 0x01;
    edg_ascon_permute(s, ROUNDS_8);
}

void edg_ascon_text(uint8_t s[EDG_ASCON], uint8_t *text, uint16_t n, uint8_t open)
{
    uint8_t i = 0;

    s[39] ^= 0x80; /* the text begins */
    for (; n > 0; n--) {
        uint8_t in = *text, out = in ^ s[i];

        *text++ = out;
        s[i++] = open ? in : out; /* the encrypted byte, either way */
        if (i == RATE) {
            edg_ascon_permute(s, ROUNDS_8);
            i = 0;
        }
    }
    s[i] ^= 0x01;
}

void edg_ascon_end(uint8_t s[EDG_ASCON], const uint8_t key[16], uint8_t tag[16])
{
    add16(s + 16, key);
    edg_ascon_permute(s, ROUNDS_12);
    add16(s + 24, key);
    edg_copy(tag, s + 24, 16);
    edg_wipe(s, EDG_ASCON);
}

static void run(const uint8_t *key, const uint8_t *nonce, uint8_t *text, uint16_t n, uint8_t *tag, uint8_t open)
{
    uint8_t s[EDG_ASCON];

    edg_ascon_begin(s, key, nonce);
    edg_ascon_text(s, text, n, open);
    edg_ascon_end(s, key, tag);
}

void edg_ascon_seal(const uint8_t key[16], const uint8_t nonce[16], uint8_t *text, uint16_t n, uint8_t tag[16])
{
    run(key, nonce, text, n, tag, 0);
}

void edg_ascon_open(const uint8_t key[16], const uint8_t nonce[16], uint8_t *text, uint16_t n, uint8_t tag[16])
{
    run(key, nonce, text, n, tag, 1);
}
