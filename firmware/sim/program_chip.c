/* Runs on the chip: each of the programs between marks that sim/program_cost.c knows. */
#include "../core/edg_int.h"
#include "program_bodies.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

static void ask(uint8_t i)
{
    static const uint8_t payload[7] = {7, 6, 5, 4, 3, 2, 1};
    edg_program_input in;

    memset(&in, 0, sizeof in);
    in.payload = payload;
    in.payload_len = i == 1 ? 0 : sizeof payload; /* the second wants a small argument */
    in.local[EDG_PARAM_OP] = EDG_CALL;
    in.local[EDG_PARAM_UNIX] = 1800000000UL; /* 8 h */
    GPIOR1 = i;
    GPIOR0 = 1;
    GPIOR2 = edg_program_check((const uint8_t *)program_bodies[i].bytes, program_bodies[i].n);
    GPIOR0 = 2;
    GPIOR2 = edg_program_run((const uint8_t *)program_bodies[i].bytes, program_bodies[i].n, &in);
    GPIOR0 = 3;
}

int main(void)
{
    uint8_t i;

    for (i = 0; i < sizeof program_bodies / sizeof program_bodies[0]; i++)
        ask(i);
    cli();
    sleep_enable();
    for (;;)
        sleep_cpu(); /* the end, for the simulator */
}
