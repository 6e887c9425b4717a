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

int8_t edg_cells_init(edg_device *dev, uint8_t log, const edg_log_spec *spec)
{
    edg_log *l = edg_log_at(dev, log);
    uint8_t head[AT_PREV]; /* big-endian: of two the newer one is the greater */
    uint8_t entry[EDG_MAX_ENTRY];
    uint8_t size = (uint8_t)(AT_PAYLOAD + spec->size);
    int newest;
    int8_t ok;

    l->u.nv.incarnation = dev->boot;
    l->u.nv.budget = EDG_WEAR_BURST;
    /* Without a head the cell behind it is the first one of all. */
    newest = edg_nv_newest(dev, address(dev, log, spec, (uint8_t)(spec->capacity - 1)), size, spec->capacity, head);
    if (newest == EDG_ERR_STORAGE)
        return EDG_ERR_STORAGE;
    if (newest < 0)
        return EDG_OK;
    l->count = 1;
    l->newest = (uint8_t)newest;
    l->u.nv.incarnation = edg_load32(head);
    l->sequence = edg_load32(head + AT_SEQUENCE);
    ok = edg_cells_read(dev, log, spec, 0, l->hash, entry);
    if (ok != EDG_OK)
        return ok;
    edg_log_step(dev, log, spec, 0, entry, l->hash);
    for (; l->count < spec->capacity; l->count++) { /* what stands in front of it without a gap */
        uint16_t at = address(dev, log, spec, l->count);

        edg_store32(head + AT_SEQUENCE, l->sequence - l->count);
        if (edg_nv_check(dev, at, size) != 1 || edg_nv_same(dev, at, head, sizeof head) != 1)
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
    edg_nv_writer w;
    uint8_t head[AT_PREV];

    edg_nv_begin(&w, (uint16_t)(EDG_NV_LOGS + offset));
    edg_store32(head, l->u.nv.incarnation);
    edg_store32(head + AT_SEQUENCE, l->sequence + 1);
    edg_nv_put(dev, &w, head, sizeof head);
    edg_nv_put(dev, &w, l->hash, sizeof l->hash);
    edg_nv_put(dev, &w, entry, size);
    return edg_nv_seal(dev, &w);
}

int8_t edg_cells_read(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t back, uint8_t *prev, uint8_t *payload)
{
    uint16_t at = address(dev, log, spec, back);

    if (edg_nv_check(dev, at, (uint8_t)(AT_PAYLOAD + spec->size)) != 1)
        return EDG_ERR_STORAGE;
    if (prev != NULL && edg_nv_read(dev, (uint16_t)(at + AT_PREV), prev, 16) != EDG_OK)
        return EDG_ERR_STORAGE;
    return payload != NULL ? edg_nv_read(dev, (uint16_t)(at + AT_PAYLOAD), payload, spec->size) : EDG_OK;
}
