#include "edg_int.h"

/* What fills the logs: a start reads those in EEPROM, and entries are appended to them. docs/spec/log.md. */

int8_t edg_logs_init(edg_device *dev)
{
    edg_log_spec spec;
    edg_log *l;
    uint8_t i;
    int8_t err = EDG_OK;

    memset(dev->logs, 0, sizeof dev->logs);
    dev->mark_log = 0xFF;
    dev->polled = (uint16_t)edg_device_ticks(dev);
    for (i = 0; i < edg_pgm_u8(&EDG_SERVICE(dev)->log_count) && err == EDG_OK; i++) {
        edg_log_spec_get(dev, i, &spec);
        l = edg_log_at(dev, i);
        l->newest = (uint8_t)(spec.capacity - 1);
        l->left = spec.period;
#if !EDG_FIXED_PERIODS
        l->period = spec.period;
#endif
        if (spec.flags & EDG_LOG_EEPROM)
            err = edg_cells_init(dev, i, &spec);
    }
    return err;
}

int edg_device_append(edg_device *d, uint8_t log, const uint8_t *entry)
{
    edg_device *dev = EDG_DEVICE(d);
    edg_log *l = edg_log_at(dev, log);
    edg_log_spec spec;
    uint16_t at;
    uint8_t in_eeprom;

    if ((dev->flags & (EDG_CLAIMED | EDG_BOOT_LOST)) != EDG_CLAIMED)
        return EDG_ERR_CLOSED;
    edg_log_spec_get(dev, log, &spec);
    in_eeprom = spec.flags & EDG_LOG_EEPROM;
    if (l->sequence == 0xFFFFFFFFUL)
        return EDG_ERR_STORAGE;
    if (in_eeprom && !edg_cells_afford(dev, l))
        return EDG_ERR_WEAR;
    at = edg_log_offset(dev, log, &spec, (uint8_t)(spec.capacity - 1)); /* the cell behind the head: that of the oldest entry, if the log is full */
    if (l->count == spec.capacity) { /* the oldest entry falls out: in RAM its hash becomes the base, in EEPROM it is gone from the first byte written */
        l->count--;
        if (!in_eeprom)
            edg_log_step(dev, log, &spec, l->count, dev->store + at, l->u.base);
    }
    if (!in_eeprom)
        edg_copy(dev->store + at, entry, spec.size);
    else if (edg_cells_write(dev, l, at, entry, spec.size) != EDG_OK)
        return EDG_ERR_STORAGE;
    l->newest = (uint8_t)(l->newest + 1 < spec.capacity ? l->newest + 1 : 0);
    l->count++;
    l->sequence++;
    if (dev->mark_log == log && dev->mark_back < 255)
        dev->mark_back++;
    edg_log_step(dev, log, &spec, 0, entry, l->hash);
    dev->flags |= EDG_GREW;
    return EDG_OK;
}

#if !EDG_FIXED_PERIODS
void edg_device_set_period(edg_device *dev, uint8_t log, uint16_t ticks)
{
    edg_log *l = edg_log_at(EDG_DEVICE(dev), log);

    l->period = ticks;
    l->left = ticks;
}
#endif
