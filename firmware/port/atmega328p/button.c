/* The button: PD2 to ground. Held for five seconds it makes the device forget its owner. */
#include <avr/io.h>

#include "board.h"

#define HOLD_TICKS 50u

void button_start(void)
{
    PORTD |= _BV(PORTD2); /* pull-up */
}

uint8_t button_held(uint32_t ticks)
{
    static uint8_t since, down, told;

    if (PIND & _BV(PIND2)) {
        down = 0;
        told = 0;
        return 0;
    }
    if (!down) {
        down = 1;
        since = (uint8_t)ticks;
    }
    if (told || (uint8_t)((uint8_t)ticks - since) < HOLD_TICKS)
        return 0;
    told = 1;
    return 1;
}
