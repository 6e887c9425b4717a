#include "edg_int.h"

/* A value that only grows: u32 value | u16 CRC in slots written in turn. The newest is the greatest valid one. A write that power loss tears leaves
 * a slot that is not valid, and the one before it as the newest. */

/* 1 and the value; 0: not valid; or a negative enum. */
static int8_t get(const edg_device *dev, uint16_t at, uint32_t *value)
{
    uint8_t b[4];
    int8_t ok = edg_nv_check(dev, at, sizeof b);

    if (ok != 1)
        return ok;
    ok = edg_nv_read(dev, at, b, sizeof b);
    *value = edg_load32(b);
    return ok == EDG_OK ? 1 : ok;
}

/* The newest slot too; the last one where none is valid. */
static int8_t newest(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t *value, uint8_t *slot)
{
    uint32_t v = 0;
    uint8_t i;
    int8_t found = 0;

    *value = 0;
    *slot = (uint8_t)(slots - 1);
    for (i = 0; i < slots; i++, addr = (uint16_t)(addr + EDG_COUNTER_CELL)) {
        int8_t ok = get(dev, addr, &v);

        if (ok < 0)
            return ok;
        if (!ok || (found && v <= *value))
            continue;
        found = 1;
        *value = v;
        *slot = i;
    }
    return found;
}

int8_t edg_counter_read(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t *value)
{
    uint8_t slot;

    return newest(dev, addr, slots, value, &slot);
}

int8_t edg_counter_write(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t value)
{
    uint8_t b[4];
    uint32_t old;
    uint8_t slot, i;

    if (newest(dev, addr, slots, &old, &slot) < 0)
        return EDG_ERR_STORAGE;
    edg_store32(b, value);
    for (i = 1; i < slots; i++) { /* never over the newest one */
        edg_nv_writer w;

        slot = (uint8_t)(slot + 1 < slots ? slot + 1 : 0);
        w.at = (uint16_t)(addr + (uint16_t)slot * EDG_COUNTER_CELL);
        w.crc = EDG_CRC_INIT;
        if (edg_nv_put(dev, &w, b, sizeof b) == EDG_OK && edg_nv_seal(dev, &w) == EDG_OK)
            return EDG_OK;
    }
    return EDG_ERR_STORAGE;
}

int8_t edg_counter_erase(const edg_device *dev, uint16_t addr, uint8_t slots)
{
    return edg_nv_fill(dev, addr, 0xFF, (uint16_t)(slots * EDG_COUNTER_CELL));
}
