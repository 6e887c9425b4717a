/* By the registers: avr-libc's functions for a byte and a block are longer than what is in them. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/wdt.h>
#include <util/atomic.h>

#include "board.h"

static int outside(uint16_t addr, uint16_t n)
{
    return addr > E2END + 1u || n > E2END + 1u - addr;
}

static uint8_t load(uint16_t addr)
{
    while (EECR & _BV(EEPE)) /* the end of a write */
        ;
    EEAR = addr;
    EECR = _BV(EERE);
    return EEDR;
}

int eeprom_load(void *ctx, uint16_t addr, void *dst, uint16_t n)
{
    uint8_t *to = dst;

    (void)ctx;
    if (outside(addr, n))
        return EDG_ERR_STORAGE;
    for (; n > 0; n--)
        *to++ = load(addr++);
    return EDG_OK;
}

/* Ascending, 3.4 ms for each byte that changes. The last of them may be under way still: it is durable once the core has read it back, as it does. */
int eeprom_save(void *ctx, uint16_t addr, const void *src, uint16_t n)
{
    const uint8_t *from = src;

    (void)ctx;
    if (outside(addr, n))
        return EDG_ERR_STORAGE;
    for (; n > 0; n--, from++) {
        wdt_reset();
        if (load(addr++) == *from)
            continue;
        EEDR = *from;
        ATOMIC_BLOCK(ATOMIC_RESTORESTATE) { /* within four cycles */
            EECR = _BV(EEMPE);
            EECR |= _BV(EEPE);
        }
    }
    return EDG_OK;
}
