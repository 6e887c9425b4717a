#include "edg_int.h"

/* The claim record (docs/spec/claim.md), kept twice:
 *
 *     magic u16 = E5C1 | hint (4) | epoch u16 | generations (16) | Ke (32) | CRC-16 u16
 *
 * A change goes to the second copy first, then over the first. So power loss leaves the old record or the new one: the first copy counts if it
 * is valid, else the second, which is then copied back. */

enum { MAGIC_HI = 0xE5, MAGIC_LO = 0xC1 };
enum { AT_HINT = 2, AT_EPOCH = 6, AT_GENERATIONS = 8, AT_KEY = 24, AT_CRC = 56, BRANCHES = 16 };

/* 1: a valid record; 0: none; or a negative enum. */
static int8_t valid(const edg_device *dev, uint16_t addr)
{
    uint8_t b[2];

    if (edg_nv_read(dev, addr, b, sizeof b) != EDG_OK)
        return EDG_ERR_STORAGE;
    return b[0] == MAGIC_HI && b[1] == MAGIC_LO ? edg_nv_check(dev, addr, AT_CRC) : 0;
}

/* Writes the record at addr: the one at `from` with byte `patch` replaced. */
static int8_t copy(const edg_device *dev, uint16_t addr, uint16_t from, uint8_t patch, uint8_t value)
{
    edg_nv_writer w;
    uint8_t i;

    edg_nv_begin(&w, addr);
    for (i = 0; i < AT_CRC; i++) {
        int byte = i == patch ? value : edg_nv_byte(dev, (uint16_t)(from + i));
        uint8_t b = (uint8_t)byte;

        if (byte < 0)
            return EDG_ERR_STORAGE;
        edg_nv_put(dev, &w, &b, 1);
    }
    return edg_nv_seal(dev, &w);
}

enum { NO_PATCH = 0xFF };

static int8_t promote(const edg_device *dev) { return copy(dev, EDG_NV_OWNER, EDG_NV_BACKUP, NO_PATCH, 0); }

int8_t edg_owner_load(edg_device *dev)
{
    int8_t found = valid(dev, EDG_NV_OWNER);

    dev->flags &= (uint8_t)~EDG_CLAIMED;
    if (found == 0 && (found = valid(dev, EDG_NV_BACKUP)) == 1 && promote(dev) != EDG_OK)
        return EDG_ERR_STORAGE;
    if (found <= 0)
        return found;
    if (edg_nv_read(dev, EDG_NV_OWNER + AT_HINT, dev->owner, sizeof dev->owner) != EDG_OK)
        return EDG_ERR_STORAGE;
    dev->flags |= EDG_CLAIMED;
    return EDG_OK;
}

int8_t edg_owner_write(edg_device *dev, const uint8_t hint[4], uint16_t epoch, const uint8_t ke[EDG_KEY])
{
    edg_nv_writer w;
    uint8_t head[AT_KEY];

    edg_nv_begin(&w, EDG_NV_BACKUP);
    memset(head, 0, sizeof head); /* generations */
    head[0] = MAGIC_HI;
    head[1] = MAGIC_LO;
    edg_copy(head + AT_HINT, hint, AT_EPOCH - AT_HINT);
    edg_store16(head + AT_EPOCH, epoch);
    edg_nv_put(dev, &w, head, sizeof head);
    edg_nv_put(dev, &w, ke, EDG_KEY);
    return edg_nv_seal(dev, &w) == EDG_OK && promote(dev) == EDG_OK ? edg_owner_load(dev) : EDG_ERR_STORAGE;
}

int8_t edg_owner_erase(edg_device *dev)
{
    int8_t err = edg_nv_fill(dev, EDG_NV_BACKUP, 0xFF, AT_CRC + 2);

    return err == EDG_OK ? edg_nv_fill(dev, EDG_NV_OWNER, 0xFF, AT_CRC + 2) : err;
}

int8_t edg_owner_key(const edg_device *dev, uint8_t key[EDG_KEY]) { return edg_nv_read(dev, EDG_NV_OWNER + AT_KEY, key, EDG_KEY); }

int edg_owner_generation(const edg_device *dev, uint8_t branch)
{
    return edg_nv_byte(dev, (uint16_t)(EDG_NV_OWNER + AT_GENERATIONS + branch));
}

int8_t edg_owner_set_generation(edg_device *dev, uint8_t branch, uint8_t generation)
{
    if (branch >= BRANCHES)
        return EDG_ERR_ARGUMENT;
    if (copy(dev, EDG_NV_BACKUP, EDG_NV_OWNER, (uint8_t)(AT_GENERATIONS + branch), generation) != EDG_OK)
        return EDG_ERR_STORAGE;
    return promote(dev);
}
