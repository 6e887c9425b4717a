#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <util/atomic.h>

#include "board.h"

static volatile uint32_t ticks;

ISR(TIMER1_COMPA_vect)
{
    ticks++;
}

void tick_start(void)
{
    SMCR = _BV(SE); /* sleep means idle: timers and the UART go on */
    OCR1A = (uint16_t)(F_CPU / 64 / 10 - 1);
    TCCR1B = _BV(WGM12) | _BV(CS11) | _BV(CS10); /* clear on compare, clock / 64 */
    TIMSK1 = _BV(OCIE1A);
    sei();
}

uint32_t tick_now(void *ctx)
{
    uint32_t now = 0;

    (void)ctx;
    ATOMIC_BLOCK(ATOMIC_RESTORESTATE) {
        now = ticks;
    }
    return now;
}

void tick_sleep(void)
{
    sei(); /* tick_start has enabled sleep; the instruction after it runs before any interrupt: called with interrupts off, it loses no wake-up */
    sleep_cpu();
}
