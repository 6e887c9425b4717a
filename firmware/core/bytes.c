#include "edg_int.h"

uint32_t edg_load32(const uint8_t *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

void edg_store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void edg_store32(uint8_t *p, uint32_t v)
{
    edg_store16(p, (uint16_t)(v >> 16));
    edg_store16(p + 2, (uint16_t)v);
}

int8_t edg_same(const uint8_t *a, const uint8_t *b, uint8_t n)
{
    uint8_t diff = 0;

    while (n > 0) {
        n--;
        diff = (uint8_t)(diff | (a[n] ^ b[n]));
    }
    return diff == 0;
}

#if UINT_MAX == 0xFFFF
EDG_APART void edg_copy(void *to, const void *from, uint8_t n)
{
    const uint8_t *f = from;
    uint8_t *t = to;

    for (; n > 0; n--)
        *t++ = *f++;
}
#endif

void edg_wipe(void *p, uint16_t n)
{
    volatile uint8_t *v = p; /* volatile: the compiler may not drop stores to memory that is not read again */

    while (n > 0) {
        n--;
        v[n] = 0;
    }
}
