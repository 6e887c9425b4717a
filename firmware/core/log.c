#include "edg_int.h"

/* docs/spec/log.md. RAM logs are rings with the hash in front of their oldest entry; the logs in EEPROM are in cell.c. */

/* Apart: where the device is a constant, a compiler that sees this in place multiplies anew for each field. 0.4 kB of flash on AVR. */
edg_log *edg_log_at(edg_device *dev, uint8_t log) { return &dev->logs[log]; }

uint32_t edg_log_oldest(const edg_log *l) { return l->sequence - l->count + 1; }

void edg_log_spec_get(const edg_device *dev, uint8_t log, edg_log_spec *spec)
{
    edg_pgm_copy(spec, edg_pgm_pointer(const edg_log_spec *, &EDG_SERVICE(dev)->logs) + log, sizeof *spec);
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

    for (i = 0; i < edg_pgm_u8(&EDG_SERVICE(dev)->log_count); i++) {
        edg_log_spec_get(dev, i, spec);
        if (named(spec->name, name, n))
            return i;
    }
    return -1;
}

int edg_function_find(const edg_device *dev, const uint8_t *name, uint8_t n, edg_function_spec *spec)
{
    const edg_function_spec *functions = edg_pgm_pointer(const edg_function_spec *, &EDG_SERVICE(dev)->functions);
    uint8_t i;

    for (i = 0; i < edg_pgm_u8(&EDG_SERVICE(dev)->function_count); i++) {
        edg_pgm_copy(spec, functions + i, sizeof *spec);
        if (named(spec->name, name, n))
            return i;
    }
    return -1;
}

uint32_t edg_log_incarnation(edg_device *dev, uint8_t log, const edg_log_spec *spec)
{
    return spec->flags & EDG_LOG_EEPROM ? edg_log_at(dev, log)->u.nv.incarnation : dev->boot;
}

/* h(n) = SHA-256( 20 | hint | u8 length, name | incarnation | sequence | h(n-1) | u16 length, payload )[:16] */
void edg_log_step(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t back, const uint8_t *payload, uint8_t hash[16])
{
    uint8_t n = 0;
    uint8_t c;

    while (edg_pgm_u8(spec->name + n) != 0)
        n++;
    edg_sha256_init(&dev->sha);
    edg_mac_put8(dev, EDG_LABEL_ENTRY);
    edg_mac_put(dev, dev->owner, EDG_HINT);
    edg_mac_put8(dev, n);
    for (n = 0; (c = edg_pgm_u8(spec->name + n)) != 0; n++)
        edg_mac_put8(dev, c);
    edg_mac_put32(dev, edg_log_incarnation(dev, log, spec));
    edg_mac_put32(dev, edg_log_at(dev, log)->sequence - back);
    edg_mac_put(dev, hash, 16);
    edg_mac_put16(dev, spec->size);
    edg_mac_put(dev, payload, spec->size);
    edg_sha256_final(&dev->sha, edg_digest(dev));
    edg_copy(hash, edg_digest(dev), 16);
}

uint8_t edg_log_place(const edg_log *l, const edg_log_spec *spec, uint8_t back)
{
    return (uint8_t)(l->newest >= back ? l->newest - back : l->newest + spec->capacity - back);
}

uint16_t edg_log_offset(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t back)
{
    const edg_log_spec *before = edg_pgm_pointer(const edg_log_spec *, &EDG_SERVICE(dev)->logs); /* in flash */
    uint8_t overhead = spec->flags & EDG_LOG_EEPROM ? EDG_CELL : 0;
    uint16_t at = (uint16_t)((uint16_t)edg_log_place(edg_log_at(dev, log), spec, back) * (uint8_t)(overhead + spec->size));

    for (; log > 0; log--, before++)
        if (!((edg_pgm_u8(&before->flags) ^ spec->flags) & EDG_LOG_EEPROM))
            at = (uint16_t)(at + (uint16_t)edg_pgm_u8(&before->capacity) * (uint8_t)(overhead + edg_pgm_u8(&before->size)));
    return at;
}
