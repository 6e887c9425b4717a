#include "edg_int.h"

/* docs/spec/log.md. RAM logs are rings with the hash in front of their oldest entry; the logs in EEPROM are in cell.c. */

void edg_log_spec_get(const edg_device *dev, uint8_t log, edg_log_spec *spec)
{
    const edg_log_spec *logs;

    edg_pgm_copy(&logs, &dev->service->logs, sizeof logs);
    edg_pgm_copy(spec, logs + log, sizeof *spec);
}

static int8_t named(const char *flash, const uint8_t *name, uint8_t n)
{
    uint8_t i;

    for (i = 0; i < n; i++)
        if (edg_pgm_u8(flash + i) != name[i]) /* a shorter name ends in 0, which no valid name holds */
            return 0;
    return edg_pgm_u8(flash + n) == 0;
}

int edg_log_find(const edg_device *dev, const uint8_t *name, uint8_t n, edg_log_spec *spec)
{
    uint8_t i;

    for (i = 0; i < edg_pgm_u8(&dev->service->log_count); i++) {
        edg_log_spec_get(dev, i, spec);
        if (named(spec->name, name, n))
            return i;
    }
    return -1;
}

int edg_function_find(const edg_device *dev, const uint8_t *name, uint8_t n, edg_function_spec *spec)
{
    const edg_function_spec *functions;
    uint8_t i;

    edg_pgm_copy(&functions, &dev->service->functions, sizeof functions);
    for (i = 0; i < edg_pgm_u8(&dev->service->function_count); i++) {
        edg_pgm_copy(spec, functions + i, sizeof *spec);
        if (named(spec->name, name, n))
            return i;
    }
    return -1;
}

uint32_t edg_log_incarnation(const edg_device *dev, uint8_t log, const edg_log_spec *spec)
{
    return spec->flags & EDG_LOG_EEPROM ? dev->logs[log].u.nv.incarnation : dev->boot;
}

/* h(n) = SHA-256( 20 | hint | u8 length, name | incarnation | sequence | h(n-1) | u16 length, payload )[:16] */
void edg_log_step(edg_device *dev, const edg_log_spec *spec, uint32_t incarnation, uint32_t sequence, const uint8_t *payload, uint8_t hash[16])
{
    uint8_t n = 0;
    uint8_t c;

    while (edg_pgm_u8(spec->name + n) != 0)
        n++;
    edg_sha256_init(&dev->sha);
    edg_mac_put8(dev, EDG_LABEL_ENTRY);
    edg_mac_put(dev, dev->hint, sizeof dev->hint);
    edg_mac_put8(dev, n);
    for (n = 0; (c = edg_pgm_u8(spec->name + n)) != 0; n++)
        edg_mac_put8(dev, c);
    edg_mac_put32(dev, incarnation);
    edg_mac_put32(dev, sequence);
    edg_mac_put(dev, hash, 16);
    edg_mac_put16(dev, spec->size);
    edg_mac_put(dev, payload, spec->size);
    edg_sha256_final(&dev->sha, edg_digest(dev));
    memcpy(hash, edg_digest(dev), 16);
}

uint8_t edg_log_place(const edg_log *l, const edg_log_spec *spec, uint32_t sequence)
{
    uint8_t back = (uint8_t)(l->sequence - sequence);

    return (uint8_t)(l->newest >= back ? l->newest - back : l->newest + spec->capacity - back);
}

uint8_t *edg_log_cell(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint32_t sequence)
{
    edg_log_spec before;
    uint8_t *at = dev->store + edg_log_place(&dev->logs[log], spec, sequence) * spec->size;

    while (log > 0) {
        edg_log_spec_get(dev, --log, &before);
        if (!(before.flags & EDG_LOG_EEPROM))
            at += before.capacity * before.size;
    }
    return at;
}

int8_t edg_logs_init(edg_device *dev)
{
    edg_log_spec spec;
    uint8_t i;
    int8_t err = EDG_OK;

    memset(dev->logs, 0, sizeof dev->logs);
    dev->mark_log = 0xFF;
    for (i = 0; i < edg_pgm_u8(&dev->service->log_count) && err == EDG_OK; i++) {
        edg_log_spec_get(dev, i, &spec);
        dev->logs[i].newest = (uint8_t)(spec.capacity - 1);
        dev->logs[i].period = spec.period;
        dev->logs[i].due = edg_device_ticks(dev) + spec.period;
        if (spec.flags & EDG_LOG_EEPROM)
            err = edg_cells_init(dev, i, &spec);
    }
    return err;
}

static void append_ram(edg_device *dev, uint8_t log, const edg_log_spec *spec, const uint8_t *entry)
{
    edg_log *l = &dev->logs[log];
    uint8_t *cell;

    if (l->count == spec->capacity) { /* the oldest falls out: its hash becomes the base */
        uint32_t oldest = l->sequence - l->count + 1;

        edg_log_step(dev, spec, dev->boot, oldest, edg_log_cell(dev, log, spec, oldest), l->u.base);
        l->count--;
    }
    l->sequence++;
    l->count++;
    l->newest = (uint8_t)(l->newest + 1 < spec->capacity ? l->newest + 1 : 0);
    cell = edg_log_cell(dev, log, spec, l->sequence);
    memcpy(cell, entry, spec->size);
    edg_log_step(dev, spec, dev->boot, l->sequence, cell, l->hash);
}

int edg_device_append(edg_device *dev, uint8_t log, const uint8_t *entry)
{
    edg_log_spec spec;
    int8_t err = EDG_OK;

    if ((dev->flags & (EDG_CLAIMED | EDG_BOOT_LOST)) != EDG_CLAIMED)
        return EDG_ERR_CLOSED;
    edg_log_spec_get(dev, log, &spec);
    if (dev->logs[log].sequence == 0xFFFFFFFFUL)
        return EDG_ERR_STORAGE;
    if (spec.flags & EDG_LOG_EEPROM)
        err = edg_cells_append(dev, log, &spec, entry);
    else
        append_ram(dev, log, &spec, entry);
    if (err == EDG_OK)
        dev->flags |= EDG_GREW;
    return err;
}

void edg_device_set_period(edg_device *dev, uint8_t log, uint16_t ticks)
{
    dev->logs[log].period = ticks;
    dev->logs[log].due = edg_device_ticks(dev) + ticks;
}
