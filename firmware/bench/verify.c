#include "verify.h"

void bench_branch_key(edg_device *desk, const uint8_t ke[EDG_KEY], const uint8_t *header, uint8_t kb[EDG_KEY])
{
    edg_mac_begin(desk, ke, EDG_LABEL_ROOT);
    edg_mac_put16(desk, edg_load16(header + 5));
    edg_mac_put8(desk, header[0] & 15);
    edg_mac_put8(desk, header[7]);
    edg_mac_end(desk, ke, kb);
}

void bench_tag(edg_device *desk, const uint8_t kb[EDG_KEY], const edg_request *r)
{
    const uint8_t *key = kb;
    uint8_t at = EDG_HEADER;

    while (at < r->carried_len) {
        uint8_t len = r->carried[at];

        edg_mac_begin(desk, key, at == EDG_HEADER ? EDG_LABEL_HEAD : EDG_LABEL_FRAME);
        if (at == EDG_HEADER) {
            edg_mac_put8(desk, EDG_HEADER);
            edg_mac_put(desk, r->carried, EDG_HEADER);
        }
        edg_mac_put(desk, r->carried + at, (uint16_t)(len + 1u));
        edg_mac_end(desk, key, desk->key);
        key = desk->key;
        at = (uint8_t)(at + 1 + len);
    }
    edg_mac_begin(desk, key, EDG_LABEL_REQUEST);
    edg_mac_put8(desk, r->proof[1]);
    edg_mac_put32(desk, r->sequence);
    edg_mac_put32(desk, edg_load16(r->proof + 6));
    edg_mac_put8(desk, r->hold);
    edg_mac_message(desk, r->m.code, r->m.options, r->m.options_len, r->m.payload, r->m.payload_len, EDG_O_REQUEST, 8);
    edg_mac_end(desk, key, desk->mac);
}

int bench_verify(edg_device *desk, const uint8_t kb[EDG_KEY], const uint8_t *in, uint16_t n)
{
    edg_request r;

    if (edg_coap_parse(&r.m, in, n) != EDG_OK || edg_request_read(&r) != 0 || r.carried == NULL)
        return 0;
    bench_tag(desk, kb, &r);
    return edg_same(desk->mac, r.tag, 8) && edg_frames_hold(desk, &r, r.carried, r.carried_len, 0) == 0;
}
