/* One step over the constraints of a frame with 0..48 bytes left. */
#include "any.h"
#include "../../core/frame.c"

static void step(uint8_t left)
{
    edg_constraint t;
    const uint8_t *before = any_bytes(left), *end = before + left;
    int8_t more;

    t.at = before;
    t.end = end;
    more = edg_constraint_next_itself(&t);
    //@ split more;
    //@ assert inside: t.at <= end;
    if (more <= 0)
        return;
    //@ assert forward: before < t.v && t.v <= t.at;
    //@ assert room: t.n < EDG_MAX_FRAME;
    readable(t.v, t.n);
}

void driver(void)
{
    uint8_t left;

    any(area, sizeof area);
    /*@ loop unroll 49; */
    for (left = 0; left <= EDG_MAX_FRAME; left++)
        step(left);
    END();
}
