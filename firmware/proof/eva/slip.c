/* Any bytes for ever into the SLIP receiver, and messages of 0..66 and of 1280 bytes out of the sender. */
#include "any.h"
#include "../../core/crc.c"
#include "../../core/slip.c"

enum { CAP = 258 };

static uint8_t buffer[CAP];

static void put(void *ctx, uint8_t byte)
{
    (void)ctx;
    (void)byte;
}

void driver(void)
{
    edg_slip s;
    uint16_t n, cap;

    any(area, sizeof area);
    /*@ loop unroll 5; */
    for (cap = 0; cap <= CAP; cap = (uint16_t)(cap < 3 ? cap + 1 : cap < CAP ? CAP : CAP + 1)) {
        edg_slip_init(&s, buffer + CAP - cap, cap);
        /*@ loop widen_hints "all", 1, 2, 3, 258; */
        while (Frama_C_nondet(0, 1)) {
            n = edg_slip_push(&s, Frama_C_unsigned_char_interval(0, 255));
            //@ assert fits: n <= CAP && s.n <= CAP;
            //@ assert message: n == 0 || n + 2 <= CAP;
        }
    }
    /*@ loop unroll 70; */
    for (n = 0; n <= MOST; n = (uint16_t)(n < 66 ? n + 1 : n < MOST ? MOST : MOST + 1))
        edg_slip_send(put, NULL, any_bytes(n), n);
    END();
}
