/* The button: PD2 to ground. Held for five seconds it makes the device forget its owner. */
#include <avr/io.h>

#include "board.h"

#define HOLD_TICKS 50u
enum { UP, DOWN, TOLD };

void button_start(void)
{
    PORTD |= _BV(PORTD2); /* pull-up */
}

uint8_t button_held(uint32_t ticks)
{
    static uint8_t since;
    static uint8_t state; /* UP, DOWN, TOLD */

    if (PIND & _BV(PIND2)) {
        state = UP;
    } else if (state == UP) {
        state = DOWN;
        since = (uint8_t)ticks;
    } else if (state == DOWN && (uint8_t)((uint8_t)ticks - since) >= HOLD_TICKS) {
        state = TOLD;
        return 1;
    }
    return 0;
}
