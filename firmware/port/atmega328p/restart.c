/* What happens after a reset. A fault that returns at every start must not wear out the EEPROM, where the boot counter is, nor
 * flood the link: after a watchdog reset the firmware waits 1 s, then 2, 4 ... 60 s for resets that follow one another. */
#include <avr/io.h>
#include <avr/wdt.h>

#include "board.h"

#define LONGEST_WAIT 60u      /* s */
#define SETTLED_TICKS 3000u   /* 5 minutes without a reset: the next one is the first again */
#define MAGIC 0xa5u

/* RAM keeps these through a watchdog reset; a power cut leaves anything in them, which is why they count for nothing then. */
static uint8_t waited __attribute__((section(".noinit"))); /* seconds, before the last start */
static uint8_t waited_check __attribute__((section(".noinit")));

/* Before main, before RAM is set up: a watchdog that has fired keeps running at 16 ms. GPIOR2 keeps the cause until restart_wait. */
void restart_early(void) __attribute__((naked, used, section(".init3")));
void restart_early(void)
{
    GPIOR2 = MCUSR;
    MCUSR = 0;
    wdt_disable();
}

static void remember(uint8_t seconds)
{
    waited = seconds;
    waited_check = seconds ^ MAGIC;
}

static uint8_t remembered(void)
{
    return (waited ^ waited_check) == MAGIC ? waited : 0;
}

void restart_wait(void)
{
    uint8_t seconds = 0;

    if ((GPIOR2 & (_BV(WDRF) | _BV(PORF) | _BV(BORF) | _BV(EXTRF))) == _BV(WDRF)) {
        seconds = remembered();
        seconds = seconds == 0 ? 1 : seconds <= LONGEST_WAIT / 2 ? (uint8_t)(2 * seconds) : LONGEST_WAIT;
        GPIOR1 = seconds;
        GPIOR0 = EDG_MARK_WAIT;
    }
    remember(seconds);
    wdt_enable(WDTO_2S);
    while ((uint16_t)tick_now(0) < 10u * seconds) {
        tick_sleep();
        wdt_reset();
    }
}

void restart_settle(uint32_t ticks)
{
    if (ticks > SETTLED_TICKS)
        remember(0);
}
