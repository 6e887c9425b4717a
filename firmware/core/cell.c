#include "edg_int.h"

/* Logs in EEPROM. Each entry stands in a cell of its own, the cells are written in turn:
 *
 *     incarnation u32 | sequence u32 | hash before it (16) | payload | CRC-16 u16
 *
 * The newest valid cell is the head, and what stands in front of it without a gap is kept. A cell that power loss tears is not valid; it had
 * held the oldest entry, so the log is whole. Writes are rationed: an authorised caller cannot wear the memory out. */

enum { AT_SEQUENCE = 4, AT_PREV = 8, AT_PAYLOAD = 24 };

static uint16_t bytes_of(const edg_log_spec *spec) { return (uint16_t)((uint16_t)spec->capacity * (uint16_t)(EDG_CELL + spec->size)); }

static uint16_t address(const edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t cell)
{
    edg_log_spec before;
    uint16_t at = (uint16_t)(EDG_NV_LOGS + (uint16_t)cell * (uint16_t)(EDG_CELL + spec->size));

    while (log > 0) {
        edg_log_spec_get(dev, --log, &before);
        if (before.flags & EDG_LOG_EEPROM)
            at = (uint16_t)(at + bytes_of(&before));
    }
    return at;
}

/* 1: the cell at addr is valid, and holds this; 0: it is not; or a negative enum. */
static int8_t get(const edg_device *dev, uint16_t addr, uint8_t size, uint32_t *incarnation, uint32_t *sequence)
{
    uint8_t head[AT_PREV];
    int8_t ok = edg_nv_check(dev, addr, (uint16_t)(AT_PAYLOAD + size));

    if (ok != 1)
        return ok;
    ok = edg_nv_read(dev, addr, head, sizeof head);
    *incarnation = edg_load32(head);
    *sequence = edg_load32(head + AT_SEQUENCE);
    return ok == EDG_OK ? *sequence != 0 : ok;
}

/* The newest valid cell is the head: of the highest incarnation the highest sequence. */
static int8_t find_head(edg_device *dev, uint8_t log, const edg_log_spec *spec)
{
    edg_log *l = edg_log_at(dev, log);
    uint32_t incarnation, sequence;
    uint8_t i;

    for (i = 0; i < spec->capacity; i++) {
        int8_t ok = get(dev, address(dev, log, spec, i), spec->size, &incarnation, &sequence);

        if (ok < 0)
            return ok;
        if (!ok || (l->count > 0 && (incarnation < l->u.nv.incarnation || (incarnation == l->u.nv.incarnation && sequence < l->sequence))))
            continue;
        l->u.nv.incarnation = incarnation;
        l->sequence = sequence;
        l->newest = i;
        l->count = 1;
    }
    return EDG_OK;
}

int8_t edg_cells_init(edg_device *dev, uint8_t log, const edg_log_spec *spec)
{
    edg_log *l = edg_log_at(dev, log);
    uint32_t incarnation, sequence;
    uint8_t entry[EDG_MAX_ENTRY];
    uint8_t i;
    int8_t ok;

    l->u.nv.incarnation = dev->boot;
    l->u.nv.budget = EDG_WEAR_BURST;
    l->u.nv.refilled = edg_device_ticks(dev);
    ok = find_head(dev, log, spec);
    if (ok != EDG_OK || l->count == 0)
        return ok;
    ok = edg_cells_read(dev, log, spec, l->sequence, l->hash, entry);
    if (ok != EDG_OK)
        return ok;
    edg_log_step(dev, spec, l->u.nv.incarnation, l->sequence, entry, l->hash);
    for (i = l->newest; l->count < spec->capacity; l->count++) { /* what stands in front of it without a gap */
        i = (uint8_t)(i > 0 ? i - 1 : spec->capacity - 1);
        if (get(dev, address(dev, log, spec, i), spec->size, &incarnation, &sequence) != 1 || incarnation != l->u.nv.incarnation ||
            sequence != l->sequence - l->count)
            break;
    }
    return EDG_OK;
}

/* Takes one write off the budget; 1, or 0 if it is spent. */
static int8_t afford(edg_device *dev, edg_log *l)
{
    uint32_t now = edg_device_ticks(dev);

    for (; now - l->u.nv.refilled >= (uint32_t)EDG_WEAR_TICKS; l->u.nv.refilled += (uint32_t)EDG_WEAR_TICKS) {
        if (l->u.nv.budget >= EDG_WEAR_BURST) {
            l->u.nv.refilled = now; /* full: the time begins anew */
            break;
        }
        l->u.nv.budget++;
    }
    if (l->u.nv.budget == 0)
        return 0;
    l->u.nv.budget--;
    return 1;
}

/* Writes the cell, its CRC last, and reads it back. */
static int8_t put(edg_device *dev, uint16_t addr, const edg_log_spec *spec, const edg_log *l, const uint8_t *entry)
{
    edg_nv_writer w = {addr, EDG_CRC_INIT};
    uint8_t head[AT_PREV];

    edg_store32(head, l->u.nv.incarnation);
    edg_store32(head + AT_SEQUENCE, l->sequence + 1);
    if (edg_nv_put(dev, &w, head, sizeof head) != EDG_OK || edg_nv_put(dev, &w, l->hash, sizeof l->hash) != EDG_OK ||
        edg_nv_put(dev, &w, entry, spec->size) != EDG_OK)
        return EDG_ERR_STORAGE;
    return edg_nv_seal(dev, &w);
}

int8_t edg_cells_write(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t cell, const uint8_t *entry)
{
    edg_log *l = edg_log_at(dev, log);

    if (!afford(dev, l))
        return EDG_ERR_WEAR;
    if (l->count == spec->capacity)
        l->count--; /* the oldest is gone from the first byte written */
    return put(dev, address(dev, log, spec, cell), spec, l, entry);
}

int8_t edg_cells_read(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint32_t sequence, uint8_t *prev, uint8_t *payload)
{
    uint16_t at = address(dev, log, spec, edg_log_place(edg_log_at(dev, log), spec, sequence));

    if (edg_nv_check(dev, at, (uint16_t)(AT_PAYLOAD + spec->size)) != 1)
        return EDG_ERR_STORAGE;
    if (prev != NULL && edg_nv_read(dev, (uint16_t)(at + AT_PREV), prev, 16) != EDG_OK)
        return EDG_ERR_STORAGE;
    return payload != NULL ? edg_nv_read(dev, (uint16_t)(at + AT_PAYLOAD), payload, spec->size) : EDG_OK;
}
