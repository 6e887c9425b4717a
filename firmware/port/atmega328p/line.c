/* SLIP over UART0. The interrupt decodes into the one in-buffer; while a message stands in it, bytes are let go: the peer has one
 * request outstanding and repeats what was lost. Sending sleeps between bytes. */
#include <avr/interrupt.h>
#include <avr/io.h>

#include "board.h"

#define BAUD_DIVIDER 16 /* F_CPU / 8 / (16 + 1) = 117,647 baud, 2.1 % fast; a receiver stands 3.75 % */

static uint8_t in[BOARD_IN + 2]; /* a message and its CRC */
static edg_slip decoder;
static uint16_t in_len;
static volatile uint8_t has_message;

ISR(USART_RX_vect)
{
    uint8_t broken = UCSR0A & (_BV(FE0) | _BV(DOR0));
    uint8_t byte = UDR0;

    if (has_message)
        return;
    if (broken) /* a byte was damaged or lost: the frame's check would find it, this is only sooner */
        decoder.crc ^= 1;
    in_len = edg_slip_push(&decoder, byte);
    has_message = in_len > 0;
}

ISR(USART_UDRE_vect)
{
    UCSR0B &= (uint8_t)~_BV(UDRIE0); /* it only had to wake the core */
}

void line_start(void)
{
    edg_slip_init(&decoder, in, sizeof in);
    UCSR0A = _BV(U2X0);
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UBRR0 = BAUD_DIVIDER;
    UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
}

uint8_t line_has_message(void)
{
    return has_message;
}

uint8_t *line_message(uint16_t *n)
{
    *n = in_len;
    return in;
}

void line_release(void)
{
    has_message = 0;
}

static void put(void *ctx, uint8_t byte)
{
    (void)ctx;
    cli();
    while (!(UCSR0A & _BV(UDRE0))) {
        UCSR0B |= _BV(UDRIE0);
        tick_sleep();
        cli();
    }
    UDR0 = byte;
    sei();
}

void line_send(const uint8_t *message, uint16_t n)
{
    edg_slip_send(put, 0, message, n);
}
