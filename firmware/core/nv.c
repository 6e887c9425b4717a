#include "edg_int.h"

int8_t edg_nv_read(const edg_device *dev, uint16_t addr, void *dst, uint8_t n)
{
    const edg_platform *p = EDG_PLATFORM(dev);

    return p->nv_read(p->ctx, addr, dst, n) == EDG_OK ? EDG_OK : EDG_ERR_STORAGE;
}

int edg_nv_byte(const edg_device *dev, uint16_t addr)
{
    uint8_t byte;

    return edg_nv_read(dev, addr, &byte, 1) == EDG_OK ? byte : EDG_ERR_STORAGE;
}

int8_t edg_nv_same(const edg_device *dev, uint16_t addr, const void *src, uint8_t n)
{
    const uint8_t *from = src;
    uint8_t diff = 0;
    int byte;

    for (; n > 0; n--) {
        byte = edg_nv_byte(dev, addr++);
        if (byte < 0)
            return EDG_ERR_STORAGE;
        diff = (uint8_t)(diff | (byte ^ *from++));
    }
    return diff == 0;
}

int8_t edg_nv_write(const edg_device *dev, uint16_t addr, const void *src, uint8_t n)
{
    const edg_platform *p = EDG_PLATFORM(dev);

    return p->nv_write(p->ctx, addr, src, n) == EDG_OK && edg_nv_same(dev, addr, src, n) == 1 ? EDG_OK : EDG_ERR_STORAGE;
}

int8_t edg_nv_check(const edg_device *dev, uint16_t addr, uint8_t n)
{
    uint16_t crc = EDG_CRC_INIT;
    int byte;

    /* The CRC of bytes and their CRC is 0. */
    for (n = (uint8_t)(n + 2); n > 0; n--) {
        byte = edg_nv_byte(dev, addr++);
        if (byte < 0)
            return EDG_ERR_STORAGE;
        crc = edg_crc16_byte(crc, (uint8_t)byte);
    }
    return crc == 0;
}

int edg_nv_newest(const edg_device *dev, uint16_t addr, uint8_t n, uint8_t slots, uint8_t *first)
{
    uint8_t head[EDG_NV_FIRST];
    uint8_t len = n < sizeof head ? n : sizeof head;
    uint8_t i;
    int found = EDG_ERR_MALFORMED;

    memset(first, 0, len);
    for (i = 0; i < slots; i++, addr = (uint16_t)(addr + n + 2)) {
        int8_t ok = edg_nv_check(dev, addr, n);

        if (ok < 0 || edg_nv_read(dev, addr, head, len) != EDG_OK)
            return EDG_ERR_STORAGE;
        if (!ok || memcmp(head, first, len) < 0)
            continue;
        memcpy(first, head, len);
        found = i;
    }
    return found;
}

void edg_nv_begin(edg_nv_writer *w, uint16_t at)
{
    w->at = at;
    w->crc = EDG_CRC_INIT;
    w->err = EDG_OK;
}

void edg_nv_put(const edg_device *dev, edg_nv_writer *w, const uint8_t *src, uint8_t n)
{
    if (w->err == EDG_OK)
        w->err = edg_nv_write(dev, w->at, src, n);
    w->at = (uint16_t)(w->at + n);
    for (; n > 0; n--)
        w->crc = edg_crc16_byte(w->crc, *src++);
}

int8_t edg_nv_seal(const edg_device *dev, edg_nv_writer *w)
{
    uint8_t tail[2];

    edg_store16(tail, w->crc);
    edg_nv_put(dev, w, tail, sizeof tail);
    return w->err;
}

int8_t edg_nv_fill(const edg_device *dev, uint16_t addr, uint8_t value, uint16_t n)
{
    for (; n > 0; n--, addr++)
        if (edg_nv_byte(dev, addr) != value && edg_nv_write(dev, addr, &value, 1) != EDG_OK)
            return EDG_ERR_STORAGE;
    return EDG_OK;
}
