/* The carried form. One step of its walk with 0..255 bytes left; then its form, and the search for a part, on that step's word, over 0..60, 207 and 255 bytes. */
#include "any.h"
#include "../../core/carried.c"

/* Where a header in the form could begin at the earliest: what edg_item_next says of anything but a part, whose bytes nobody looks at here. */
static const uint8_t *second;

/* As edg_item_next_itself is shown to be: it goes on within the form, and what it gives lies before where it goes on. */
uint8_t edg_item_next(edg_item *i)
{
    uint8_t left = (uint8_t)(i->end - i->at);

    i->value = second;
    if (left == 0)
        return EDG_ITEM_END;
    i->frame = any_u8(0, 255);
    if (left > EDG_HEADER && Frama_C_nondet(0, 1)) {
        i->value = i->end - any_u8(EDG_HEADER, (uint8_t)(left - 1));
        i->at = i->value + EDG_HEADER;
        i->part++;
        return EDG_ITEM_PART;
    }
    i->at = i->end - any_u8(0, (uint8_t)(left - 1));
    return Frama_C_nondet(EDG_ITEM_BROKEN, Frama_C_nondet(EDG_ITEM_FRAME, EDG_ITEM_DISCHARGE));
}

int8_t edg_part_has(const uint8_t first[5], const uint8_t *body, uint8_t n, uint8_t self, uint8_t branch, const uint8_t *nonce)
{
    (void)self, (void)branch;
    readable(first, 5);
    readable(body, n);
    readable(nonce, 4);
    return (int8_t)Frama_C_nondet(0, 1);
}

static void step(uint8_t left)
{
    edg_item i;
    const uint8_t *before = any_bytes(left), *end = before + left;
    uint8_t kind;

    edg_item_first(&i, before, left);
    i.frame = any_u8(0, EDG_MAX_FRAMES);
    i.part = any_u8(0, EDG_MAX_PARTS - 1);
    kind = edg_item_next_itself(&i);
    //@ split kind;
    //@ assert inside: i.at <= end;
    if (kind == EDG_ITEM_END || kind == EDG_ITEM_BROKEN)
        return;
    //@ assert forward: before < i.value && i.value <= i.at;
    if (kind == EDG_ITEM_PART) {
        //@ assert header: i.len == EDG_HEADER;
        readable(i.value, EDG_HEADER);
    } else if (kind == EDG_ITEM_FRAME) {
        //@ assert frame: i.len <= EDG_MAX_FRAME;
        readable(i.value, i.len);
    } else {
        //@ assert of_a_frame: 1 <= i.frame <= EDG_MAX_FRAMES;
        //@ assert discharge: i.len <= EDG_MAX_FRAME;
        readable(i.value, (uint16_t)(i.len + EDG_BINDING));
    }
}

static void form(uint8_t n)
{
    static uint8_t first[5];
    const uint8_t *carried = any_bytes(n);

    any(first, sizeof first);
    second = n > 2 * EDG_HEADER ? carried + EDG_HEADER + 1 : carried;
    if (edg_carried_formed(carried, n)) {
        //@ assert long_enough: n >= EDG_HEADER;
    }
    second = n > EDG_HEADER ? carried + 1 : carried;
    (void)edg_part_has_itself(first, carried, n, any_u8(0, 255), any_u8(0, 15), Frama_C_nondet(0, 1) ? any_bytes(4) : NULL);
}

void driver(void)
{
    uint16_t n;

    any(area, sizeof area);
    /*@ loop unroll 256; */
    for (n = 0; n <= 255; n++) {
        step((uint8_t)n);
        if (n <= 60 || n == EDG_MAX_CARRIED || n == 255)
            form((uint8_t)n);
    }
    END();
}
