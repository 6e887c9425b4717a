#include "bench.h"

static uint32_t ticks(void *ctx) { return ((bench *)ctx)->tick; }

static int nv_read(void *ctx, uint16_t addr, void *dst, uint16_t n)
{
    bench *b = ctx;

    if (addr > sizeof b->nv || n > sizeof b->nv - addr || b->reads == 0)
        return EDG_ERR_STORAGE;
    if (b->reads > 0)
        b->reads--;
    memcpy(dst, b->nv + addr, n);
    return EDG_OK;
}

static int nv_write(void *ctx, uint16_t addr, const void *src, uint16_t n)
{
    bench *b = ctx;
    const uint8_t *from = src;

    if (addr > sizeof b->nv || n > sizeof b->nv - addr || b->read_only)
        return EDG_ERR_STORAGE;
    for (; n > 0; n--, addr++, from++) {
        if (b->nv[addr] == *from || (addr >= b->worn_at && addr - b->worn_at < b->worn))
            continue;
        if (b->power == 0) {
            if (b->torn >= 0)
                b->nv[addr] = (uint8_t)b->torn;
            b->read_only = 1;
            return EDG_ERR_STORAGE;
        }
        if (b->power > 0)
            b->power--;
        b->nv[addr] = *from;
        b->written++;
    }
    return EDG_OK;
}

void bench_init(bench *b)
{
    memset(b, 0, sizeof *b);
    memset(b->nv, 0xFF, sizeof b->nv);
    b->platform.ctx = b;
    b->platform.ticks = ticks;
    b->platform.nv_read = nv_read;
    b->platform.nv_write = nv_write;
    b->power = -1;
    b->torn = -1;
    b->reads = -1;
}

void bench_owner(bench *b, const uint8_t ke[32], const uint8_t hint[4], uint16_t epoch, const uint8_t generations[16])
{
    uint8_t *r = b->nv + EDG_NV_OWNER;

    r[0] = 0xE5;
    r[1] = 0xC1;
    memcpy(r + 2, hint, 4);
    edg_store16(r + 6, epoch);
    memcpy(r + 8, generations, 16);
    memcpy(r + 24, ke, 32);
    edg_store16(r + 56, edg_crc16(r, 56));
}

void bench_boot(bench *b, uint32_t boot)
{
    uint8_t *cell = b->nv + EDG_NV_BOOT;

    edg_store32(cell, boot - 1);
    edg_store16(cell + 4, edg_crc16(cell, 4));
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

long bench_hex(const char *text, uint8_t *out, size_t cap)
{
    size_t n = 0;

    for (; *text != 0 && *text != ' ' && *text != '\n' && *text != '\r'; text += 2) {
        int hi = digit(text[0]);
        int lo = hi < 0 ? -1 : digit(text[1]);

        if (lo < 0 || n == cap)
            return -1;
        out[n++] = (uint8_t)(hi << 4 | lo);
    }
    return (long)n;
}

void bench_put_hex(char *text, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (; n > 0; n--, bytes++) {
        *text++ = digits[*bytes >> 4];
        *text++ = digits[*bytes & 15];
    }
    *text = 0;
}
