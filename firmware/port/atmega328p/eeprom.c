#include <avr/eeprom.h>
#include <avr/wdt.h>

#include "board.h"

static int outside(uint16_t addr, uint16_t n)
{
    return addr > E2END + 1u || n > E2END + 1u - addr;
}

int eeprom_load(void *ctx, uint16_t addr, void *dst, uint16_t n)
{
    (void)ctx;
    if (outside(addr, n))
        return EDG_ERR_STORAGE;
    eeprom_read_block(dst, (const void *)addr, n);
    return EDG_OK;
}

/* Ascending, 3.4 ms for each byte that changes; the bytes are durable when this returns. The core reads them back. */
int eeprom_save(void *ctx, uint16_t addr, const void *src, uint16_t n)
{
    const uint8_t *from = src;

    (void)ctx;
    if (outside(addr, n))
        return EDG_ERR_STORAGE;
    for (; n > 0; n--) {
        wdt_reset();
        eeprom_update_byte((uint8_t *)addr++, *from++);
    }
    eeprom_busy_wait();
    return EDG_OK;
}
