#include "edg_int.h"

int8_t edg_nv_read(const edg_device *dev, uint16_t addr, void *dst, uint16_t n)
{
    const edg_platform *p = EDG_PLATFORM(dev);

    return p->nv_read(p->ctx, addr, dst, n) == EDG_OK ? EDG_OK : EDG_ERR_STORAGE;
}

int8_t edg_nv_write(const edg_device *dev, uint16_t addr, const void *src, uint16_t n)
{
    const edg_platform *p = EDG_PLATFORM(dev);

    return p->nv_write(p->ctx, addr, src, n) == EDG_OK ? EDG_OK : EDG_ERR_STORAGE;
}

int8_t edg_nv_check(const edg_device *dev, uint16_t addr, uint16_t n)
{
    uint16_t crc = EDG_CRC_INIT;
    uint8_t byte;

    /* The CRC of bytes and their CRC is 0. */
    for (n = (uint16_t)(n + 2); n > 0; n--) {
        if (edg_nv_read(dev, addr++, &byte, 1) != EDG_OK)
            return EDG_ERR_STORAGE;
        crc = edg_crc16_byte(crc, byte);
    }
    return crc == 0;
}

int8_t edg_nv_put(const edg_device *dev, edg_nv_writer *w, const uint8_t *src, uint8_t n)
{
    int8_t err = edg_nv_write(dev, w->at, src, n);

    w->at = (uint16_t)(w->at + n);
    for (; n > 0; n--)
        w->crc = edg_crc16_byte(w->crc, *src++);
    return err;
}

int8_t edg_nv_seal(const edg_device *dev, edg_nv_writer *w, uint16_t start)
{
    uint8_t tail[2], back[2];

    edg_store16(tail, w->crc);
    if (edg_nv_write(dev, w->at, tail, sizeof tail) != EDG_OK || edg_nv_check(dev, start, (uint16_t)(w->at - start)) != 1 ||
        edg_nv_read(dev, w->at, back, sizeof back) != EDG_OK)
        return EDG_ERR_STORAGE;
    return edg_load16(back) == w->crc ? EDG_OK : EDG_ERR_STORAGE;
}

int8_t edg_nv_fill(const edg_device *dev, uint16_t addr, uint8_t value, uint16_t n)
{
    uint8_t byte;
    int8_t err = EDG_OK;

    for (; n > 0 && err == EDG_OK; n--, addr++) {
        err = edg_nv_read(dev, addr, &byte, 1);
        if (err == EDG_OK && byte != value)
            err = edg_nv_write(dev, addr, &value, 1);
    }
    return err;
}
