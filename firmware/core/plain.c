#include "edg_int.h"

/* What needs no capability: hello, the links, the claim. */

static uint8_t act_hello(edg_device *dev, edg_answer *a, const edg_request *r)
{
    const uint8_t *header = r->m.payload + EDG_NONCE;

    if (r->m.payload_len != EDG_NONCE + EDG_HEADER || header[0] >> 4 != EDG_VERSION)
        return EDG_R_MALFORMED;
    if (!(dev->flags & EDG_CLAIMED))
        return EDG_R_UNCLAIMED;
    if (dev->flags & EDG_BOOT_LOST)
        return EDG_R_BOOT_LOST;
    edg_cookie_make(dev, r->m.payload, header, a->out + a->payload);
    a->len = EDG_COOKIE;
    return 0;
}

/* The links, whole or a block of them (RFC 7959); towards who may not be who it says, at most three times what was asked. */
static uint8_t act_core(const edg_device *dev, edg_answer *a, const edg_request *r, edg_len asked, unsigned link_flags)
{
    uint16_t (*links)(const edg_device *, uint16_t, uint8_t *, uint16_t);
    uint16_t total;
    uint16_t overhead = (uint16_t)(4 + r->m.token_len + 2 + 3 + 1);
    uint16_t room = (uint16_t)(a->cap - overhead);
    uint8_t szx = r->has & EDG_HAS_BLOCK2 ? r->block2 & 7 : 6;
    uint16_t block = r->block2 >> 4, offset, left;

    edg_pgm_copy(&links, &EDG_SERVICE(dev)->links, sizeof links);
    total = links(dev, 0, a->out, 0);
    if (szx == 7 || block > (total - 1u) >> (szx + 4))
        return EDG_R_MALFORMED;
    offset = (uint16_t)(block << (szx + 4));
    left = (uint16_t)(total - offset);
    if (!(link_flags & EDG_LINK_LOCAL) && room > asked * 3u - overhead)
        room = asked * 3u > overhead + 16u ? (uint16_t)(asked * 3u - overhead) : 16;
    while (szx > 0 && (16u << szx) > room)
        szx--;
    if (!(r->has & EDG_HAS_BLOCK2) && total <= room) {
        edg_answer_begin(a, r, EDG_BLOCK, EDG_NO_BLOCK);
    } else {
        uint16_t size = (uint16_t)(16u << szx);

        edg_answer_begin(a, r, EDG_BLOCK, (uint16_t)(((unsigned)offset >> (szx + 4) << 4) | (left > size ? 8u : 0u) | szx));
        if (left > size)
            left = size;
    }
    a->len = (edg_len)left;
    (void)links(dev, offset, a->out + a->payload, a->len);
    a->code = EDG_CONTENT;
    return 0;
}

uint8_t edg_act_plain(edg_device *dev, edg_answer *a, const edg_request *r, edg_len asked, unsigned link_flags)
{
    if (r->target != 0)
        return r->target;
    if (r->at == EDG_AT_CORE)
        return r->has & (EDG_HAS_CONDITION | EDG_HAS_OTHER_ACCEPT) ? EDG_R_OPTION : act_core(dev, a, r, asked, link_flags);
    if (r->at != EDG_AT_HELLO && r->at != EDG_AT_CLAIM)
        return EDG_R_NEED_CAPABILITY;
    if (r->has & (EDG_HAS_CONDITION | EDG_HAS_BLOCK2 | EDG_HAS_ACCEPT | EDG_HAS_OTHER_ACCEPT))
        return EDG_R_OPTION;
    if (r->at == EDG_AT_HELLO)
        return act_hello(dev, a, r);
    return edg_claim(dev, r, link_flags, a->out + a->payload, (edg_len)(a->cap - a->payload), &a->len);
}
