/* What happens after a reset. A fault that returns at every start must not wear out the EEPROM, where the boot counter is, nor
 * flood the link: after a watchdog reset the firmware waits 1 s, then 2, 4 ... 60 s for resets that follow one another. */
#include <avr/io.h>
#include <avr/wdt.h>

#include "board.h"

#define LONGEST_WAIT 60u      /* s */
#define SETTLED_TICKS 3000u   /* 5 minutes without a reset: the next one is the first again */
#define MAGIC 0xa5u

/* RAM keeps these through a watchdog reset; a power cut leaves anything in them, which is why they count for nothing then. */
static uint8_t cause __attribute__((section(".noinit")));
static uint8_t resets __attribute__((section(".noinit")));
static uint8_t resets_check __attribute__((section(".noinit")));

/* Before main, before RAM is set up: a watchdog that has fired keeps running at 16 ms. */
void restart_early(void) __attribute__((naked, used, section(".init3")));
void restart_early(void)
{
    cause = MCUSR;
    MCUSR = 0;
    wdt_disable();
}

static void remember(uint8_t n)
{
    resets = n;
    resets_check = n ^ MAGIC;
}

static uint8_t remembered(void)
{
    return (resets ^ resets_check) == MAGIC ? resets : 0;
}

void restart_wait(void)
{
    uint8_t seconds = 0;
    uint32_t until;

    if ((cause & (_BV(WDRF) | _BV(PORF) | _BV(BORF) | _BV(EXTRF))) == _BV(WDRF)) {
        uint8_t n = remembered();

        seconds = n < 6 ? (uint8_t)(1u << n) : LONGEST_WAIT;
        remember(n < 6 ? (uint8_t)(n + 1) : n);
        GPIOR1 = seconds;
        GPIOR0 = EDG_MARK_WAIT;
    } else {
        remember(0);
    }
    wdt_enable(WDTO_2S);
    for (until = 10u * seconds; tick_now(0) < until;) {
        tick_sleep();
        wdt_reset();
    }
}

void restart_settle(uint32_t ticks)
{
    if (ticks > SETTLED_TICKS && remembered() != 0)
        remember(0);
}
