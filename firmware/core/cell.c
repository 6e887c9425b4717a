#include "edg_int.h"

/* Logs in EEPROM. Each entry stands in a cell of its own, the cells are written in turn:
 *
 *     incarnation u32 | sequence u32 | hash before it (16) | payload | CRC-16 u16
 *
 * The newest valid cell is the head, and what stands in front of it without a gap is kept. A cell that power loss tears is not valid; it had
 * held the oldest entry, so the log is whole. Writes are rationed: an authorised caller cannot wear the memory out. */

enum { AT_SEQUENCE = 4, AT_PREV = 8, AT_PAYLOAD = 24 };

/* Where the cell is of the entry so far behind the head. */
static uint16_t address(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t back)
{
    return (uint16_t)(EDG_NV_LOGS + edg_log_offset(dev, log, spec, back));
}

/* 1: the cell at addr is valid, and of this incarnation and sequence; 0: it is not; or a negative enum. */
static int8_t get(const edg_device *dev, uint16_t addr, uint8_t size, uint8_t head[AT_PREV])
{
    int8_t ok = edg_nv_check(dev, addr, (uint16_t)(AT_PAYLOAD + size));

    if (ok != 1)
        return ok;
    ok = edg_nv_read(dev, addr, head, AT_PREV);
    return ok == EDG_OK ? edg_load32(head + AT_SEQUENCE) != 0 : ok;
}

int8_t edg_cells_init(edg_device *dev, uint8_t log, const edg_log_spec *spec)
{
    edg_log *l = edg_log_at(dev, log);
    uint8_t head[AT_PREV], cell[AT_PREV]; /* big-endian, so that of two the newer one is the greater */
    uint8_t entry[EDG_MAX_ENTRY];
    uint8_t i, newest = 0;
    int8_t ok;

    l->u.nv.incarnation = dev->boot;
    l->u.nv.budget = EDG_WEAR_BURST;
    memset(head, 0, sizeof head);
    for (i = 0; i < spec->capacity; i++) {
        ok = get(dev, address(dev, log, spec, i), spec->size, cell);
        if (ok < 0)
            return ok;
        if (!ok || memcmp(cell, head, sizeof head) <= 0)
            continue;
        memcpy(head, cell, sizeof head);
        newest = edg_log_place(l, spec, i);
        l->count = 1;
    }
    if (l->count == 0)
        return EDG_OK;
    l->newest = newest;
    l->u.nv.incarnation = edg_load32(head);
    l->sequence = edg_load32(head + AT_SEQUENCE);
    ok = edg_cells_read(dev, log, spec, 0, l->hash, entry);
    if (ok != EDG_OK)
        return ok;
    edg_log_step(dev, log, spec, 0, entry, l->hash);
    for (; l->count < spec->capacity; l->count++) { /* what stands in front of it without a gap */
        edg_store32(head + AT_SEQUENCE, l->sequence - l->count);
        if (get(dev, address(dev, log, spec, l->count), spec->size, cell) != 1 || memcmp(cell, head, sizeof head) != 0)
            break;
    }
    return EDG_OK;
}

int8_t edg_cells_afford(const edg_device *dev, edg_log *l)
{
    uint32_t now = edg_device_ticks(dev);

    for (; l->u.nv.budget < EDG_WEAR_BURST && now - l->u.nv.refilled >= (uint32_t)EDG_WEAR_TICKS; l->u.nv.budget++)
        l->u.nv.refilled += (uint32_t)EDG_WEAR_TICKS;
    if (l->u.nv.budget == EDG_WEAR_BURST)
        l->u.nv.refilled = now; /* full: the time begins anew */
    if (l->u.nv.budget == 0)
        return 0;
    l->u.nv.budget--;
    return 1;
}

int8_t edg_cells_write(const edg_device *dev, const edg_log *l, uint16_t offset, const uint8_t *entry, uint8_t size)
{
    edg_nv_writer w = {(uint16_t)(EDG_NV_LOGS + offset), EDG_CRC_INIT};
    uint8_t head[AT_PREV];

    edg_store32(head, l->u.nv.incarnation);
    edg_store32(head + AT_SEQUENCE, l->sequence + 1);
    if (edg_nv_put(dev, &w, head, sizeof head) != EDG_OK || edg_nv_put(dev, &w, l->hash, sizeof l->hash) != EDG_OK ||
        edg_nv_put(dev, &w, entry, size) != EDG_OK)
        return EDG_ERR_STORAGE;
    return edg_nv_seal(dev, &w);
}

int8_t edg_cells_read(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t back, uint8_t *prev, uint8_t *payload)
{
    uint16_t at = address(dev, log, spec, back);

    if (edg_nv_check(dev, at, (uint16_t)(AT_PAYLOAD + spec->size)) != 1)
        return EDG_ERR_STORAGE;
    if (prev != NULL && edg_nv_read(dev, (uint16_t)(at + AT_PREV), prev, 16) != EDG_OK)
        return EDG_ERR_STORAGE;
    return payload != NULL ? edg_nv_read(dev, (uint16_t)(at + AT_PAYLOAD), payload, spec->size) : EDG_OK;
}
