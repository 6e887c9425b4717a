#include "edg_int.h"

/* SLIP (RFC 1055) with a CRC in every frame: END, message, CRC (2, big-endian), END. */

enum { SLIP_END = 0xC0, SLIP_ESC = 0xDB, SLIP_ESC_END = 0xDC, SLIP_ESC_ESC = 0xDD };

enum { TAKING, ESCAPED, DROPPING };

static void restart(edg_slip *s)
{
    s->n = 0;
    s->crc = EDG_CRC_INIT;
    s->state = TAKING;
}

void edg_slip_init(edg_slip *s, uint8_t *buf, uint16_t cap)
{
    s->buf = buf;
    s->cap = cap;
    restart(s);
}

EDG_BY_POINTER uint16_t edg_slip_push(edg_slip *s, uint8_t byte)
{
    if (byte == SLIP_END) {
        /* The CRC of a message and its CRC is 0. An END inside an escape ends a broken frame. */
        uint16_t n = s->state == TAKING && s->crc == 0 && s->n > 2 ? (uint16_t)(s->n - 2) : 0;

        restart(s);
        return n;
    }
    if (s->state == ESCAPED) {
        s->state = TAKING;
        if (byte == SLIP_ESC_END)
            byte = SLIP_END;
        else if (byte == SLIP_ESC_ESC)
            byte = SLIP_ESC;
        else
            s->state = DROPPING;
    } else if (byte == SLIP_ESC && s->state == TAKING) {
        s->state = ESCAPED;
        return 0;
    }
    if (s->n == s->cap)
        s->state = DROPPING;
    if (s->state == TAKING) {
        s->buf[s->n++] = byte;
        s->crc = edg_crc16_byte(s->crc, byte);
    }
    return 0;
}

static void send_byte(void (*put)(void *ctx, uint8_t byte), void *ctx, uint8_t byte)
{
    if (byte == SLIP_END || byte == SLIP_ESC) {
        put(ctx, SLIP_ESC);
        byte = byte == SLIP_END ? SLIP_ESC_END : SLIP_ESC_ESC;
    }
    put(ctx, byte);
}

void edg_slip_send(void (*put)(void *ctx, uint8_t byte), void *ctx, const uint8_t *msg, uint16_t n)
{
    uint16_t crc = edg_crc16(msg, n);

    put(ctx, SLIP_END);
    for (; n > 0; n--)
        send_byte(put, ctx, *msg++);
    send_byte(put, ctx, (uint8_t)(crc >> 8));
    send_byte(put, ctx, (uint8_t)crc);
    put(ctx, SLIP_END);
}
