#include "edg_int.h"

/* A value that only grows: u32 value | u16 CRC in slots written in turn. The newest is the greatest valid one. A write that power loss tears leaves
 * a slot that is not valid, and the one before it as the newest. */

enum { VALUE = 4 };

int8_t edg_counter_read(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t *value)
{
    uint8_t b[VALUE];
    int slot = edg_nv_newest(dev, addr, VALUE, slots, b);

    *value = edg_load32(b);
    return slot == EDG_ERR_STORAGE ? EDG_ERR_STORAGE : slot >= 0;
}

int8_t edg_counter_write(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t value)
{
    uint8_t b[VALUE];
    int slot = edg_nv_newest(dev, addr, VALUE, slots, b);
    uint8_t i;

    if (slot == EDG_ERR_STORAGE)
        return EDG_ERR_STORAGE;
    edg_store32(b, value);
    for (i = 1; i < slots; i++) { /* never over the newest one */
        edg_nv_writer w;

        slot = slot >= 0 && slot + 1 < slots ? slot + 1 : 0;
        edg_nv_begin(&w, (uint16_t)(addr + (uint16_t)slot * EDG_COUNTER_CELL));
        edg_nv_put(dev, &w, b, sizeof b);
        if (edg_nv_seal(dev, &w) == EDG_OK)
            return EDG_OK;
    }
    return EDG_ERR_STORAGE;
}

/* The new value is written first, then each greater one is erased, the greatest first. So power loss at any byte leaves a value that is not below the
 * new one. */
int8_t edg_counter_lower(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t value)
{
    uint8_t b[VALUE];
    uint8_t i;

    for (i = 0; i <= slots; i++) {
        int slot = edg_nv_newest(dev, addr, VALUE, slots, b);

        if (slot == EDG_ERR_STORAGE)
            return EDG_ERR_STORAGE;
        if (edg_load32(b) <= value)
            return EDG_OK;
        if (i == 0 && edg_counter_write(dev, addr, slots, value) != EDG_OK)
            return EDG_ERR_STORAGE;
        if (edg_nv_fill(dev, (uint16_t)(addr + (uint16_t)slot * EDG_COUNTER_CELL), 0xFF, EDG_COUNTER_CELL) != EDG_OK)
            return EDG_ERR_STORAGE;
    }
    return EDG_ERR_STORAGE;
}

int8_t edg_counter_erase(const edg_device *dev, uint16_t addr, uint8_t slots)
{
    return edg_nv_fill(dev, addr, 0xFF, (uint16_t)(slots * EDG_COUNTER_CELL));
}
