/* Frames from the link, of 0..46, 80..90 and 1514 bytes, with an IP header of any length: ARP, and the payload of a datagram. */
#include "any.h"
#include "../../port/net/arp.c"
#undef REQUEST
#include "../../port/net/udp.c"

static net_address own;

static void datagram(uint16_t n, uint8_t words)
{
    uint8_t *frame = any_bytes(n);
    const uint8_t *payload;
    uint16_t length = 0;
    net_peer from;

    any(area, sizeof area);
    if (n > NET_ETHERNET)
        frame[NET_ETHERNET] = (uint8_t)(16 * any_u8(0, 15) + words);
    payload = net_udp_payload(&own, frame, n, &length, &from);
    if (payload != NULL) {
        //@ assert inside: payload >= frame && payload <= frame + n;
    }
    any(&from, sizeof from);
    (void)net_is_near(&own, &from);
}

static void arp(uint16_t n)
{
    static uint8_t answer[NET_ARP];

    any(area, sizeof area);
    (void)net_arp_answer(&own, any_bytes(n), n, answer);
    (void)net_arp_announce(&own, answer);
}

void driver(void)
{
    uint16_t n;
    uint8_t words;

    any(&own, sizeof own);
    /*@ loop unroll 60; */
    for (n = 0; n <= NET_FRAME; n = (uint16_t)(n == 46 ? 80 : n < 90 ? n + 1 : n < NET_FRAME ? NET_FRAME : NET_FRAME + 1)) {
        arp(n);
        /*@ loop unroll 16; */
        for (words = 0; words < 16; words++)
            if (words > 3 || n == 80)
                datagram(n, words);
    }
    END();
}
