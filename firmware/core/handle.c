#include "edg_int.h"

/* One message in, one out: parse, deduplicate, read, check, act, answer. */

#define EXCHANGE_LIFETIME 2470u /* ticks; RFC 7252 4.8.2 */

/* EDG_OUT_MIN bytes hold it, and no answer stands in them yet. */
typedef char desk_fits[sizeof(edg_desk) <= EDG_OUT_MIN ? 1 : -1];

static edg_len protected_request(edg_device *dev, edg_answer *a, edg_request *r)
{
    uint8_t reason = edg_guard_check(dev, (edg_desk *)(void *)a->out, r); /* bytes only */
    edg_len n;

    EDG_ON_VERDICT();
    if (r->is_private)
        a->cap = (edg_len)(a->cap - EDG_PRIVATE_TAG);
    if (reason == 0 || reason == EDG_REPEAT) {
        edg_answer_begin(a, r, EDG_TAGGED, 0);
        a->code = EDG_CHANGED;
    }
    if (reason == EDG_REPEAT) {
        const edg_slot *s = r->s;

        edg_copy(a->out + a->payload, s->answer, s->answer_len);
        a->len = s->answer_len;
        a->code = s->answer_code;
    } else {
        if (reason == 0)
            reason = edg_act(dev, a, r);
        if (reason != 0)
            edg_answer_refuse(a, r, reason);
        if (r->tag_len > 0 && reason != EDG_R_RESULT_GONE)
            edg_guard_keep(r, a);
    }
    n = edg_answer_finish(dev, a, r);
    if (r->over)
        edg_wipe(r->s, sizeof *r->s);
    edg_slot_close(dev, dev->closing);
    dev->closing = 0;
    return n;
}

static edg_len request(edg_device *dev, edg_answer *a, edg_request *r, edg_len asked, unsigned link_flags)
{
    uint8_t reason = edg_request_read(r);

    if (reason == 0 && r->proof != NULL)
        return protected_request(dev, a, r);
    edg_answer_begin(a, r, EDG_PLAIN, 0);
    a->code = EDG_CHANGED;
    if (reason == 0)
        reason = edg_act_plain(dev, a, r, asked, link_flags);
    if (reason != 0)
        edg_answer_refuse(a, r, reason);
    return edg_answer_finish(dev, a, r);
}

/* By which a message is known again, with its id and token: the two sums of RFC 1146, modulo 256. Who can make another message of the same sum can see the last
 * answer, too, and gets nothing else. */
static uint16_t message_sum(const uint8_t *p, edg_len n)
{
    uint8_t a = 0, b = 0;

    for (; n > 0; n--) {
        a = (uint8_t)(a + *p++);
        b = (uint8_t)(b + a);
    }
    return (uint16_t)((uint16_t)b << 8 | a);
}

size_t edg_device_handle(edg_device *dev, uint8_t *in, size_t n, uint8_t *out, size_t cap, unsigned link_flags)
{
    edg_request r;
    edg_answer a;
    uint16_t sum;

    if ((dev->flags & EDG_UNFIT) || n < 4 || n > EDG_MAX_MESSAGE || cap < EDG_OUT_MIN || in[0] >> 6 != 1)
        return 0;
    r.in = in;
#if EDG_PROGRAM
    r.scratch = out;
#endif
    a.out = out;
    a.cap = (edg_len)(cap > EDG_MAX_MESSAGE ? EDG_MAX_MESSAGE : cap);
    if (edg_coap_parse(&r.m, in, (edg_len)n) != EDG_OK || r.m.code == 0 || r.m.code >> 5 != 0 || r.m.type > EDG_NON) {
        if (r.m.type != EDG_CON)
            return 0;
        dev->last_answer = 0; /* its bytes give way to the reset */
        out[0] = 0x40 | (EDG_RST << 4);
        out[1] = 0;
        edg_store16(out + 2, r.m.id);
        return 4;
    }
    edg_age(dev, edg_device_ticks(dev));
    sum = message_sum(in, (edg_len)n);
    if (dev->last_answer != 0 && dev->last_id == r.m.id && dev->last_sum == sum && dev->last_left > 0 &&
        (out[0] & 15) == r.m.token_len && edg_same(out + 4, r.m.token, r.m.token_len))
        return dev->last_answer;
    dev->last_id = r.m.id;
    dev->last_sum = sum;
    dev->last_left = EXCHANGE_LIFETIME + 1;
    dev->last_answer = request(dev, &a, &r, (edg_len)n, link_flags);
    return dev->last_answer;
}
