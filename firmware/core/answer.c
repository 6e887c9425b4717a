#include "edg_int.h"

/* The bytes of an answer: header, token, options, payload. */

enum { INNER = 2 }; /* code and FF, in front of an inner payload */
enum { CONTENT_FORMAT_LINK = 40, NO_ROOM_SECONDS = 2, BAD = 0x80 };

static const uint8_t codes[] EDG_PGM = {
    0,        BAD + 0,  BAD + 2,  BAD + 1,  BAD + 1,  0xA3,     BAD + 1,  BAD + 1,  BAD + 1,  0xA3,     BAD + 1,  BAD + 3,  BAD + 3, BAD + 3,
    BAD + 3,  BAD + 3,  0xA0,     BAD + 3,  BAD + 4,  BAD + 1,  BAD + 4,  BAD + 13, BAD + 0,  BAD + 5,  BAD + 1,  BAD + 3,  0xA0,    0xA3,
};

static uint8_t reason_code(uint8_t reason) { return reason < sizeof codes ? edg_pgm_u8(&codes[reason]) : 0xA0; }

static uint8_t *option(uint8_t *p, uint8_t delta, uint8_t len)
{
    if (delta < 13) {
        *p++ = (uint8_t)((delta << 4) | len);
    } else {
        *p++ = (uint8_t)(0xD0 | len);
        *p++ = (uint8_t)(delta - 13);
    }
    return p;
}

void edg_answer_begin(edg_answer *a, const edg_request *r, uint8_t kind, uint16_t block)
{
    uint8_t *p = a->out + 4;

    edg_copy(p, r->m.token, r->m.token_len);
    p += r->m.token_len;
    a->options = (edg_len)(p - a->out);
    if (kind == EDG_TAGGED) { /* form | slot | tick u32 | tag; delta 65000 and a length of 14 or 22 */
        *p++ = 0xED;
        edg_store16(p, (uint16_t)(EDG_OPT_RESPONSE - 269u));
        p[2] = (uint8_t)(6 + r->tag_len - 13);
        p += 3 + 6 + r->tag_len;
    } else if (kind == EDG_BLOCK) {
        p = option(p, EDG_OPT_CONTENT_FORMAT, 1);
        *p++ = CONTENT_FORMAT_LINK;
        if (block != EDG_NO_BLOCK) {
            p = option(p, EDG_OPT_BLOCK2 - EDG_OPT_CONTENT_FORMAT, 2);
            edg_store16(p, block);
            p += 2;
        }
    } else if (kind == EDG_RETRY) {
        p = option(p, EDG_OPT_MAX_AGE, 1);
        *p++ = NO_ROOM_SECONDS;
    }
    *p++ = 0xFF;
#if EDG_PRIVACY
    if (kind == EDG_TAGGED && r->is_private)
        p += INNER;
#endif
    a->payload = (edg_len)(p - a->out);
    a->len = 0;
}

edg_len edg_answer_finish(edg_device *dev, edg_answer *a, const edg_request *r)
{
    edg_len end;

#if EDG_PRIVACY
    if (r->tag_len > 0 && r->is_private) {
        uint8_t *inner = a->out + a->payload - INNER;

        inner[0] = a->code;
        inner[1] = 0xFF;
        a->len = edg_private_seal(dev, r, inner, (edg_len)(a->len > 0 ? a->len + INNER : 1));
        a->payload = (edg_len)(a->payload - INNER);
        a->code = EDG_CHANGED;
    }
#endif
    end = (edg_len)(a->payload - 1);
    a->out[0] = (uint8_t)(0x40 | ((r->m.type == EDG_CON ? EDG_ACK : EDG_NON) << 4) | r->m.token_len);
    a->out[1] = a->code;
    edg_store16(a->out + 2, r->m.type == EDG_CON ? r->m.id : ++dev->message_id);
    if (r->tag_len > 0) {
        uint8_t *proof = a->out + end - r->tag_len - 6;

        proof[0] = r->tag_len == 16 ? EDG_FORM_OPEN : EDG_FORM_SESSION;
        proof[1] = r->slot;
        edg_store32(proof + 2, r->s->tick);
        edg_guard_tag(dev, r, a->code, a->out + a->options, (edg_len)(end - a->options), a->out + a->payload, a->len);
        edg_copy(proof + 6, edg_digest(dev), r->tag_len);
    }
    return a->len > 0 ? (edg_len)(a->payload + a->len) : end;
}

void edg_answer_refuse(edg_answer *a, const edg_request *r, uint8_t reason)
{
    edg_answer_begin(a, r, r->tag_len > 0 ? EDG_TAGGED : reason == EDG_R_NO_ROOM ? EDG_RETRY : EDG_PLAIN, 0);
    a->code = reason_code(reason);
    a->out[a->payload] = reason;
    a->len = 1;
    if (reason == EDG_R_DENIED || reason == EDG_R_DENIED_NO_CLOCK) {
        a->out[a->payload + 1] = r->frame;
        a->out[a->payload + 2] = r->type;
        a->len = 3;
    }
}
