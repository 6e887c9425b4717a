#include "edg_int.h"

/* Counts of requests let through, in EEPROM: identity (8) | CRC-16 u16 | 2 x (count u8, NOT count u8) | 2 unused.
 *
 * A count is written over the lower of its two copies, so power loss leaves the one before it or the new one. A cell changes hands in an order that
 * leaves nobody with another's count: first the old identity goes, then the counts, and the new identity comes last. */

enum { CELL = 16, AT_COUNTS = 10, IDENTITY = 8, SPENT = 255 };

static uint16_t address(uint8_t cell) { return (uint16_t)(EDG_NV_CELLS + cell * CELL); }

int8_t edg_count_is(const edg_device *dev, uint8_t cell, const uint8_t identity[8])
{
    int8_t ok = edg_nv_check(dev, address(cell), IDENTITY);

    return ok == 1 ? edg_nv_same(dev, address(cell), identity, IDENTITY) : ok;
}

/* The count, and where the next one is to be written. */
static int get(const edg_device *dev, uint8_t cell, uint16_t *next)
{
    uint8_t b[4];
    uint8_t good0, good1;

    *next = (uint16_t)(address(cell) + AT_COUNTS);
    if (edg_nv_read(dev, *next, b, sizeof b) != EDG_OK)
        return EDG_ERR_STORAGE;
    good0 = (b[0] ^ b[1]) == 0xFF;
    good1 = (b[2] ^ b[3]) == 0xFF;
    if (good0 && (!good1 || b[0] > b[2])) {
        *next = (uint16_t)(*next + 2);
        return b[0];
    }
    return good1 ? b[2] : SPENT;
}

int edg_count_get(const edg_device *dev, uint8_t cell)
{
    uint16_t next;

    return get(EDG_DEVICE(dev), cell, &next);
}

static int8_t put(const edg_device *dev, uint16_t at, uint8_t count)
{
    uint8_t b[2];

    b[0] = count;
    b[1] = (uint8_t)~count;
    return edg_nv_write(dev, at, b, sizeof b);
}

int8_t edg_count_raise(const edg_device *d, uint8_t cell)
{
    const edg_device *dev = EDG_DEVICE(d);
    uint16_t next;
    int count = get(dev, cell, &next);

    return count < 0 || count == SPENT ? EDG_ERR_STORAGE : put(dev, next, (uint8_t)(count + 1));
}

int8_t edg_count_reserve(edg_device *dev, uint8_t cell, const uint8_t identity[8])
{
    edg_nv_writer w;
    edg_slot *s;
    uint8_t i, any = 0;
    int8_t is = edg_count_is(dev, cell, identity);

    for (s = dev->slots; s < dev->slots + EDG_SLOTS; s++)
        s->places[cell] = 0;
    if (is != 0)
        return is > 0 ? EDG_OK : is;
    for (i = 0; i < IDENTITY; i++)
        any = (uint8_t)(any | identity[i]);
    edg_nv_begin(&w, address(cell));
    if (edg_nv_fill(dev, w.at, 0xFF, CELL) != EDG_OK)
        return EDG_ERR_STORAGE;
    if (any == 0)
        return EDG_OK;
    if (put(dev, (uint16_t)(w.at + AT_COUNTS), 0) != EDG_OK)
        return EDG_ERR_STORAGE;
    edg_nv_put(dev, &w, identity, IDENTITY);
    return edg_nv_seal(dev, &w);
}

int8_t edg_counts_free(const edg_device *dev) { return edg_nv_fill(dev, EDG_NV_CELLS, 0xFF, EDG_CELLS * CELL); }
