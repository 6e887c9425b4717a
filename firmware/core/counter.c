#include "edg_int.h"

/* A value that only grows: u32 value | u16 CRC in slots written in turn. The newest is the greatest valid one. A write that power loss tears leaves
 * a slot that is not valid, and the one before it as the newest. */

static uint16_t cell_at(uint16_t addr, uint8_t slot) { return (uint16_t)(addr + (uint16_t)slot * EDG_COUNTER_CELL); }

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

int8_t edg_counter_read(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t *value, uint8_t *slot)
{
    uint32_t v = 0;
    uint8_t i;
    int8_t found = 0;

    for (i = 0; i < slots; i++) {
        int8_t ok = get(dev, cell_at(addr, i), &v);

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

int8_t edg_counter_write(const edg_device *dev, uint16_t addr, uint8_t slots, uint8_t slot, uint32_t value)
{
    uint8_t cell[EDG_COUNTER_CELL];
    uint32_t back;
    uint8_t i;

    edg_store32(cell, value);
    edg_store16(cell + 4, edg_crc16(cell, 4));
    for (i = 1; i < slots; i++) { /* never over the newest one */
        uint16_t at;

        slot = (uint8_t)(slot + 1 < slots ? slot + 1 : 0);
        at = cell_at(addr, slot);
        if (edg_nv_write(dev, at, cell, sizeof cell) == EDG_OK && get(dev, at, &back) == 1 && back == value)
            return EDG_OK;
    }
    return EDG_ERR_STORAGE;
}

int8_t edg_counter_erase(const edg_device *dev, uint16_t addr, uint8_t slots)
{
    return edg_nv_fill(dev, addr, 0xFF, (uint16_t)(slots * EDG_COUNTER_CELL));
}
