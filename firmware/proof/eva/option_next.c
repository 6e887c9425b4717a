/* One step over the options, with 0..80, 255..290 and 1280 bytes left (a step looks at the first 5 only, and compares
 * the rest with a length) and any option number before: what eva/parse.c and eva/request.c take for granted of it. */
#include "any.h"
#include "../../core/coap.c"

static void step(uint16_t left)
{
    edg_option o;
    const uint8_t *before = any_bytes(left), *end = before + left;
    int8_t found;

    edg_option_first(&o, before, left);
    any(&o.number, sizeof o.number);
    found = edg_option_next_itself(&o);
    //@ assert at_end: o.at <= end;
    if (found > 0) {
        //@ assert forward: o.at > before;
        //@ assert value: before < o.value && o.value <= o.at;
        if (o.len > 0)
            area[0] = o.value[Frama_C_unsigned_short_interval(0, (uint16_t)(o.len - 1))]; /* every byte of it is one of the message */
        if (o.len <= 4)
            (void)edg_option_uint(&o);
    }
}

void driver(void)
{
    uint16_t left;

    any(area, sizeof area);
    /*@ loop unroll 130; */
    for (left = 0; left <= MOST; left = (uint16_t)(left == 80 ? 255 : left == 290 ? MOST : left + 1))
        step(left);
    END();
}
