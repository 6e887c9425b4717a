/* The walks over a carried form and over a frame, for the code that uses them: whatever comes next lies at the very end of what can be read. Eva does not relate
 * a length with where a thing begins, so that a driver says which length all of them have, and goes through the lengths. eva/carried.c and
 * eva/constraint.c show that the real walks promise no less. */
#ifndef EVA_WALK_H
#define EVA_WALK_H

#include "any.h"

static uint8_t frame_len;              /* of every frame, 0..48 */
static uint8_t value_len, value_width; /* of every constraint's value, 0..47; of the numbers of a BOUND, as a power of 2 */
static uint8_t value_type;             /* of every constraint that is no grant; 0: any */

void edg_item_first(edg_item *i, const uint8_t *body, uint8_t n)
{
    readable(body, n);
    i->at = body;
    i->end = body + n;
    i->frame = 0;
    i->part = 0;
    i->len = 0;
    i->value = any_bytes(frame_len); /* a form has a first frame */
}

/* Of a form that is as edg_carried_formed wants it. */
uint8_t edg_item_next(edg_item *i)
{
    uint8_t kind = any_u8(EDG_ITEM_END, EDG_ITEM_PART);

    //@ split kind;
    if (kind == EDG_ITEM_END || kind == EDG_ITEM_PART) { /* after either, what it was is asked only when the header is taken */
        i->value = any_bytes(EDG_HEADER);
        i->len = EDG_HEADER;
        i->frame = 0;
        i->part = any_u8(1, EDG_MAX_PARTS - 1);
        return kind;
    }
    i->frame = any_u8(1, EDG_MAX_FRAMES);
    i->len = frame_len;
    i->value = any_bytes((uint16_t)(kind == EDG_ITEM_DISCHARGE ? frame_len + EDG_BINDING : frame_len));
    if (kind == EDG_ITEM_DISCHARGE)
        area[MOST - frame_len - EDG_BINDING - 1] = frame_len; /* stands in front of it */
    return kind;
}

int8_t edg_constraint_next(edg_constraint *t)
{
    t->type = value_type == 0 ? any_u8(0, 31) : (uint8_t)Frama_C_nondet(any_u8(EDG_T_GRANT, EDG_T_GRANT_PREFIX), value_type);
    t->n = value_len;
    t->v = any_bytes(value_len);
    if (value_len > 1)
        area[MOST - value_len + 1] = (uint8_t)(4 * any_u8(0, 63) + value_width);
    return (int8_t)Frama_C_interval(-1, 1);
}

#endif
