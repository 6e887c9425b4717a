#include "edg_int.h"

enum { HEAD = 28, RANGE = 24, AT_HASH = 8 };

/* head = incarnation u32 | sequence u32 | oldest kept u32 | hash (16) */
uint8_t edg_log_head(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t *out, edg_len *n)
{
    const edg_log *l = edg_log_at(dev, log);

    edg_store32(out, edg_log_incarnation(dev, log, spec));
    edg_store32(out + 4, l->sequence);
    edg_store32(out + 8, edg_log_oldest(l));
    edg_copy(out + 12, l->hash, sizeof l->hash);
    *n = HEAD;
    return 0;
}

/* Which entry comes first in the answer; 0: none of those asked for is kept. */
static uint32_t first(edg_device *dev, uint8_t log, const edg_log_spec *spec, const edg_request *r)
{
    const edg_log *l = edg_log_at(dev, log);
    uint32_t incarnation = edg_log_incarnation(dev, log, spec);
    uint32_t oldest = edg_log_oldest(l);

    if (r->query & EDG_Q_FROM) {
        if ((r->query & EDG_Q_INCARNATION) && r->incarnation != incarnation)
            return 0;
        return r->from >= oldest && r->from <= l->sequence ? r->from : 0;
    }
    if (r->incarnation > incarnation)
        return 0;
    if (r->incarnation < incarnation || r->from < oldest)
        return oldest;
    return r->from < l->sequence ? r->from + 1 : l->sequence + 1;
}

/* The hash before entry `from` of a RAM log: from the base, or from a place that an earlier answer ended at. */
static void walk(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint32_t from, uint8_t *hash)
{
    const edg_log *l = edg_log_at(dev, log);
    uint32_t next = edg_log_oldest(l);

    edg_copy(hash, l->u.base, 16);
    if (dev->mark_log == log && dev->mark_sequence + 1 > next && dev->mark_sequence < from) {
        next = dev->mark_sequence + 1;
        edg_copy(hash, dev->mark, 16);
    }
    for (; next < from; next++)
        edg_log_step(dev, spec, dev->boot, next, edg_log_cell(dev, log, spec, next), hash);
}

/* range = incarnation u32 | first sequence u32 | previous hash (16) | entries: u16 length | payload */
uint8_t edg_log_range(edg_device *dev, uint8_t log, const edg_log_spec *spec, const edg_request *r, uint8_t *out, edg_len room, edg_len *n)
{
    const edg_log *l = edg_log_at(dev, log);
    uint32_t next;
    edg_len at = RANGE;
    uint8_t left = r->query & EDG_Q_COUNT ? r->count : 255;

    next = first(dev, log, spec, r);
    if (next == 0)
        return EDG_R_NOT_KEPT;
    if (room < RANGE)
        return EDG_R_TOO_LARGE;
    edg_store32(out, edg_log_incarnation(dev, log, spec));
    edg_store32(out + 4, next);
    if (next > l->sequence)
        edg_copy(out + AT_HASH, l->hash, sizeof l->hash);
    else if (!(spec->flags & EDG_LOG_EEPROM))
        walk(dev, log, spec, next, out + AT_HASH);
    else if (edg_cells_read(dev, log, spec, next, out + AT_HASH, NULL) != EDG_OK)
        return EDG_R_STORAGE;
    for (; next <= l->sequence && left > 0 && (edg_len)(room - at) >= 2u + spec->size; next++, left--) {
        edg_store16(out + at, spec->size);
        if (!(spec->flags & EDG_LOG_EEPROM))
            edg_copy(out + at + 2, edg_log_cell(dev, log, spec, next), spec->size);
        else if (edg_cells_read(dev, log, spec, next, NULL, out + at + 2) != EDG_OK)
            return EDG_R_STORAGE;
        at = (edg_len)(at + 2 + spec->size);
    }
    if (next > l->sequence && !(spec->flags & EDG_LOG_EEPROM)) { /* a reader who follows the log asks from here next time */
        dev->mark_log = log;
        dev->mark_sequence = l->sequence;
        edg_copy(dev->mark, l->hash, sizeof l->hash);
    }
    *n = at;
    return 0;
}
