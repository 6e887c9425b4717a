#include "edg_int.h"

/*     part        header (12) | frames: u8 length (0..48) | frame      | discharges
 *     discharge   F0 + frame number (1..4) | u8 length (0..48) | f | binding (16)
 *     carried     part | E0 part | E0 part ...                           docs/spec/capability.md, Carried form */

enum { PART = 0xE0, DISCHARGE = 0xF0 };

void edg_item_first(edg_item *i, const uint8_t *body, uint8_t n)
{
    i->at = body;
    i->end = body + n;
    i->frame = 0;
    i->part = 0;
}

uint8_t edg_item_next(edg_item *i)
{
    uint8_t left = (uint8_t)(i->end - i->at), behind = 0, kind = EDG_ITEM_FRAME;

    if (left == 0)
        return EDG_ITEM_END;
    left--;
    i->len = *i->at++;
    if (i->len == PART) {
        kind = EDG_ITEM_PART;
        i->len = EDG_HEADER;
        i->frame = 0;
        i->part++;
    } else if (i->len > DISCHARGE) {
        kind = EDG_ITEM_DISCHARGE;
        i->frame = i->len & 15;
        if (i->frame > EDG_MAX_FRAMES || left == 0)
            return EDG_ITEM_BROKEN;
        left--;
        i->len = *i->at++;
        behind = EDG_BINDING;
    } else {
        i->frame++;
    }
    if (i->len > EDG_MAX_FRAME || i->len + behind > left)
        return EDG_ITEM_BROKEN;
    i->value = i->at;
    i->at += i->len + behind;
    return kind;
}

void edg_part_first(uint8_t first[5], const uint8_t *header)
{
    first[0] = header[0] & 15;
    edg_copy(first + 1, header + 8, 4);
}

int8_t edg_part_is(const uint8_t first[5], const uint8_t *header) { return first[0] == (header[0] & 15) && edg_same(first + 1, header + 8, 4); }

int8_t edg_part_has(const uint8_t first[5], const uint8_t *body, uint8_t n, uint8_t self, uint8_t branch, const uint8_t *nonce)
{
    uint8_t ident[5];
    edg_item i;
    uint8_t kind = EDG_ITEM_PART;

    edg_item_first(&i, body, n);
    edg_copy(ident, first, sizeof ident);
    do {
        if (kind != EDG_ITEM_PART)
            continue;
        if (i.part > 0)
            edg_part_first(ident, i.value);
        if (i.part != self && ident[0] == branch && (nonce == NULL || edg_same(ident + 1, nonce, 4)))
            return 1;
    } while ((kind = edg_item_next(&i)) != EDG_ITEM_END && kind != EDG_ITEM_BROKEN);
    return 0;
}

int8_t edg_carried_formed(const uint8_t *carried, uint8_t n)
{
    uint8_t first[5];
    edg_item i;
    uint8_t kind, discharged = 0, frames = 0;

    if (n < EDG_HEADER || carried[0] >> 4 != EDG_VERSION)
        return 0;
    n = (uint8_t)(n - EDG_HEADER);
    edg_part_first(first, carried);
    edg_item_first(&i, carried + EDG_HEADER, n);
    while ((kind = edg_item_next(&i)) != EDG_ITEM_END) {
        if (kind == EDG_ITEM_FRAME) {
            frames++;
            if (frames > EDG_MAX_FRAMES || discharged > 0)
                return 0;
            continue;
        }
        if (kind == EDG_ITEM_BROKEN || frames == 0)
            return 0;
        if (kind == EDG_ITEM_DISCHARGE) {
            if (i.frame <= discharged)
                return 0;
            discharged = i.frame;
            continue;
        }
        /* A part: of the same version, hint and epoch, and of a branch and nonce of its own. */
        if (i.part == EDG_MAX_PARTS || i.value[0] >> 4 != EDG_VERSION || !edg_same(i.value + 1, carried + 1, 6) ||
            edg_part_has(first, carried + EDG_HEADER, (uint8_t)(i.value - carried - EDG_HEADER - 1), 0xFF, i.value[0] & 15, i.value + 8))
            return 0;
        frames = 0;
        discharged = 0;
    }
    return frames > 0;
}
