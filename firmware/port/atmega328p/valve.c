/* The valve: a pulse width on OC0A (PD6), 61 Hz, 0..100 percent; and what the simulator shows. */
#include <avr/io.h>

#include "board.h"

void valve_start(void)
{
    DDRD |= _BV(DDD6);
    OCR0A = 0;
    TCCR0A = _BV(COM0A1) | _BV(WGM01) | _BV(WGM00); /* fast PWM */
    TCCR0B = _BV(CS02) | _BV(CS00);                 /* clock / 1024 */
}

void valve_set(uint8_t percent, uint8_t count)
{
    OCR0A = (uint8_t)((percent * 653u + 128) >> 8); /* 255 at 100, without a division */
    GPIOR1 = percent;
    GPIOR2 = count;
    GPIOR0 = EDG_MARK_VALVE;
}
