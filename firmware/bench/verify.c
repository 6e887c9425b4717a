#include "verify.h"

void bench_branch_key(edg_device *desk, const uint8_t ke[EDG_KEY], const uint8_t *header, edg_pads *kb)
{
    edg_key_ready(desk, kb, ke);
    edg_mac_begin(desk, kb, EDG_LABEL_ROOT);
    edg_mac_put16(desk, edg_load16(header + 5));
    edg_mac_put8(desk, header[0] & 15);
    edg_mac_put8(desk, header[7]);
    edg_mac_end(desk, kb);
    edg_key_ready(desk, kb, edg_digest(desk));
}

void bench_tag(edg_device *desk, const edg_pads *kb, const edg_request *r)
{
    const edg_pads *key = kb;
    edg_pads work;
    edg_item i;

    edg_item_first(&i, r->carried + EDG_HEADER, (uint8_t)(r->carried_len - EDG_HEADER));
    while (edg_item_next(&i) == EDG_ITEM_FRAME) {
        edg_mac_begin(desk, key, i.frame == 1 ? EDG_LABEL_HEAD : EDG_LABEL_FRAME);
        if (i.frame == 1) {
            edg_mac_put8(desk, EDG_HEADER);
            edg_mac_put(desk, r->carried, EDG_HEADER);
        }
        edg_mac_put(desk, i.value - 1, (uint16_t)(i.len + 1u)); /* u8 length | frame */
        edg_mac_end(desk, key);
        edg_key_ready(desk, &work, edg_digest(desk));
        key = &work;
    }
    edg_mac_begin(desk, key, EDG_LABEL_REQUEST);
    edg_mac_put8(desk, r->proof[1]);
    edg_mac_put32(desk, r->sequence);
    edg_mac_put32(desk, edg_load16(r->proof + 6)); /* tick: there is no clock here, so all of it is on the wire */
    edg_mac_put8(desk, r->hold);
    edg_mac_message(desk, r->m.code, r->m.options, r->m.options_len, r->m.payload, r->m.payload_len, EDG_O_REQUEST, 8);
    edg_mac_end(desk, key);
}

int bench_verify(edg_device *desk, const edg_pads *kb, const uint8_t *carried, uint8_t carried_len, uint8_t *in, uint16_t n)
{
    edg_slot none = {0};
    edg_request r;

    if (edg_coap_parse(&r.m, in, n) != EDG_OK || edg_request_read(&r) != 0 || r.proof == NULL || !edg_carried_formed(carried, carried_len))
        return 0;
    r.carried = carried;
    r.carried_len = carried_len;
    bench_tag(desk, kb, &r);
    return edg_same(edg_digest(desk), r.tag, 8) &&
           edg_frames_hold(desk, &r, &none, carried + EDG_HEADER, (uint8_t)(carried_len - EDG_HEADER)) == 0;
}
