/* EEPROM for boards in an emulator: a file on the machine that the emulator runs on, named on its command line; the whole of it in RAM, changed bytes
 * written through. A byte that eeprom_save has written is with the host's kernel, so it survives the emulator being killed.
 *
 * On a real board this file is the place of a flash driver: neither chip has an EEPROM, so it keeps the EDG_NV_SIZE bytes in two flash
 * sectors in turn, as a journal of changes with a checksum each, and must return only when they are programmed. */
#include "eeprom.h"

#include <string.h>

#include "semi.h"

static struct {
    int file;
    uint8_t bytes[EDG_NV_SIZE];
} nv;

static int outside(uint16_t addr, uint16_t n)
{
    return addr > EDG_NV_SIZE || n > EDG_NV_SIZE - addr;
}

int eeprom_start(void)
{
    static char path[256];

    if (semi_argument(path, sizeof path) <= 0)
        return EDG_ERR_STORAGE;
    nv.file = semi_open(path);
    return nv.file >= 0 && semi_read(nv.file, 0, nv.bytes, sizeof nv.bytes) == 0 ? EDG_OK : EDG_ERR_STORAGE;
}

int eeprom_load(void *ctx, uint16_t addr, void *dst, uint16_t n)
{
    (void)ctx;
    if (outside(addr, n))
        return EDG_ERR_STORAGE;
    memcpy(dst, nv.bytes + addr, n);
    return EDG_OK;
}

int eeprom_save(void *ctx, uint16_t addr, const void *src, uint16_t n)
{
    (void)ctx;
    if (outside(addr, n))
        return EDG_ERR_STORAGE;
    if (memcmp(nv.bytes + addr, src, n) == 0)
        return EDG_OK;
    if (semi_write(nv.file, addr, src, n) != 0)
        return EDG_ERR_STORAGE;
    memcpy(nv.bytes + addr, src, n);
    return EDG_OK;
}
