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

/* How many entries there are from the first of the answer to the head, or a negative enum: none of those asked for is kept. */
static int from_head(edg_device *dev, uint8_t log, const edg_log_spec *spec, const edg_request *r)
{
    const edg_log *l = edg_log_at(dev, log);
    uint32_t incarnation = edg_log_incarnation(dev, log, spec);
    uint32_t back = l->sequence - r->from;
    uint8_t kept = back < l->count;

    if (r->query & EDG_Q_FROM)
        return kept && (!(r->query & EDG_Q_INCARNATION) || r->incarnation == incarnation) ? (int)back + 1 : EDG_ERR_ARGUMENT;
    if (r->incarnation > incarnation)
        return EDG_ERR_ARGUMENT;
    if (r->incarnation == incarnation) {
        if (r->from >= l->sequence)
            return 0;
        if (kept)
            return (int)back;
    }
    return l->count;
}

/* The hash before the entry from which `n` stand up to the head of a RAM log: from the base, or from a place that an earlier answer ended at. */
static void walk(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t n, uint8_t *hash)
{
    const edg_log *l = edg_log_at(dev, log);
    uint8_t known = dev->mark_back;
    uint8_t i = l->count;

    edg_copy(hash, l->u.base, 16);
    if (dev->mark_log == log && known < i && known >= n) {
        i = known;
        edg_copy(hash, dev->mark, 16);
    }
    for (; i > n; i--)
        edg_log_step(dev, log, spec, (uint8_t)(i - 1), dev->store + edg_log_offset(dev, log, spec, (uint8_t)(i - 1)), hash);
}

/* range = incarnation u32 | first sequence u32 | previous hash (16) | entries: u16 length | payload */
uint8_t edg_log_range(edg_device *dev, uint8_t log, const edg_log_spec *spec, const edg_request *r, uint8_t *out, edg_len room, edg_len *n)
{
    const edg_log *l = edg_log_at(dev, log);
    int first = from_head(dev, log, spec, r);
    uint8_t in_eeprom = spec->flags & EDG_LOG_EEPROM;
    edg_len at = RANGE;
    uint8_t left = r->query & EDG_Q_COUNT ? r->count : 255;
    uint8_t i;

    if (first < 0)
        return EDG_R_NOT_KEPT;
    if (room < RANGE)
        return EDG_R_TOO_LARGE;
    i = (uint8_t)first; /* entries from here to the head */
    edg_store32(out, edg_log_incarnation(dev, log, spec));
    edg_store32(out + 4, l->sequence - i + 1);
    if (i == 0)
        edg_copy(out + AT_HASH, l->hash, sizeof l->hash);
    else if (!in_eeprom)
        walk(dev, log, spec, i, out + AT_HASH);
    else if (edg_cells_read(dev, log, spec, (uint8_t)(i - 1), out + AT_HASH, NULL) != EDG_OK)
        return EDG_R_STORAGE;
    for (; i > 0 && left > 0 && (edg_len)(room - at) >= 2u + spec->size; left--) {
        i--;
        edg_store16(out + at, spec->size);
        at = (edg_len)(at + 2);
        if (!in_eeprom)
            edg_copy(out + at, dev->store + edg_log_offset(dev, log, spec, i), spec->size);
        else if (edg_cells_read(dev, log, spec, i, NULL, out + at) != EDG_OK)
            return EDG_R_STORAGE;
        at = (edg_len)(at + spec->size);
    }
    if (i == 0 && !in_eeprom) { /* a reader who follows the log asks from here next time */
        dev->mark_log = log;
        dev->mark_back = 0;
        edg_copy(dev->mark, l->hash, sizeof l->hash);
    }
    *n = at;
    return 0;
}
