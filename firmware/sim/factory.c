#include "factory.h"

#include <string.h>

#include "../core/edg.h"
#include "chip.h"

static int nv_read(void *ctx, uint16_t addr, void *dst, uint16_t n)
{
    if (addr > SIM_EEPROM_BYTES || n > SIM_EEPROM_BYTES - addr) {
        return EDG_ERR_STORAGE;
    }
    memcpy(dst, (const uint8_t *)ctx + addr, n);
    return 0;
}

static int nv_write(void *ctx, uint16_t addr, const void *src, uint16_t n)
{
    if (addr > SIM_EEPROM_BYTES || n > SIM_EEPROM_BYTES - addr) {
        return EDG_ERR_STORAGE;
    }
    memcpy((uint8_t *)ctx + addr, src, n);
    return 0;
}

static uint32_t no_ticks(void *ctx)
{
    (void)ctx;
    return 0;
}

int sim_factory_store(const edg_setup_code *code, uint8_t *eeprom)
{
    const edg_platform p = {eeprom, no_ticks, nv_read, nv_write};
    return edg_factory_provision(&p, code->id, code->seed) == EDG_OK ? 0 : -1;
}

bool sim_factory_matches(const edg_setup_code *code, const uint8_t *eeprom)
{
    /* Compared with what a factory would have written: every byte that differs from blank. */
    uint8_t wanted[SIM_EEPROM_BYTES];
    memset(wanted, 0xff, sizeof wanted);
    if (sim_factory_store(code, wanted) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof wanted; i++) {
        if (wanted[i] != 0xff && wanted[i] != eeprom[i]) {
            return false;
        }
    }
    return true;
}
