/* SLIP over UART0. The interrupt decodes into the one in-buffer, which main.c has; while a message stands in it, bytes are let go: the peer has one
 * request outstanding and repeats what was lost. Sending sleeps between bytes. */
#include <avr/interrupt.h>
#include <avr/io.h>

#include "board.h"

#define ON (_BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0))
#define BAUD_DIVIDER 16 /* F_CPU / 8 / (16 + 1) = 117,647 baud, 2.1 % fast; a receiver stands 3.75 % */

static edg_slip decoder;
static volatile uint8_t in_len; /* of the message that stands in the buffer; 0: none does */

/* While a message stands in the buffer the stack is deep: a byte is let go there with two bytes of it, where the handler below takes seventeen. */
ISR(USART_RX_vect, ISR_NAKED)
{
    __asm__ volatile("push r24\n\t"
                     "in r24, __SREG__\n\t"
                     "push r24\n\t"
                     "lds r24, %0\n\t"
                     "tst r24\n\t"
                     "brne 1f\n\t"
                     "pop r24\n\t"
                     "out __SREG__, r24\n\t"
                     "pop r24\n\t"
                     "jmp __vector_take\n"
                     "1:\tlds r24, %1\n\t"
                     "pop r24\n\t"
                     "out __SREG__, r24\n\t"
                     "pop r24\n\t"
                     "reti"
                     :
                     : "i"(&in_len), "n"(_SFR_MEM_ADDR(UDR0)));
}

void __vector_take(void) __attribute__((signal, used, externally_visible));
void __vector_take(void)
{
    uint8_t broken = UCSR0A & (_BV(FE0) | _BV(DOR0));
    uint8_t byte = UDR0;

    if (broken) /* a byte was damaged or lost: the frame's check would find it, this is only sooner */
        decoder.crc ^= 1;
    in_len = (uint8_t)edg_slip_push(&decoder, byte);
}

/* It only has to wake the core, and is off again. No flag changes. */
ISR(USART_UDRE_vect, ISR_NAKED)
{
    __asm__ volatile("push r24\n\t"
                     "ldi r24, %0\n\t"
                     "sts %1, r24\n\t"
                     "pop r24\n\t"
                     "reti"
                     :
                     : "M"(ON), "n"(_SFR_MEM_ADDR(UCSR0B)));
}

typedef char length_fits[BOARD_IN <= 255 ? 1 : -1];

void line_start(uint8_t *in, uint16_t cap)
{
    edg_slip_init(&decoder, in, cap);
    UCSR0A = _BV(U2X0);
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UBRR0 = BAUD_DIVIDER;
    UCSR0B = ON;
}

uint8_t line_has_message(void)
{
    return in_len > 0;
}

uint8_t *line_message(uint16_t *n)
{
    *n = in_len;
    return decoder.buf;
}

void line_release(void)
{
    in_len = 0;
}

static void put(void *ctx, uint8_t byte)
{
    (void)ctx;
    cli();
    while (!(UCSR0A & _BV(UDRE0))) {
        UCSR0B = ON | _BV(UDRIE0);
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
