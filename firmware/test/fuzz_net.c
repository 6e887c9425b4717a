/* Frames from the link under clang's libFuzzer: nothing outside a frame is read, and what is taken lies in it. */
#include "../port/net/net.h"

#include <stddef.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const net_address own = {{2, 'e', 'd', 'g', 0, 1}, {10, 0, 2, 15}, 24, 5683};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t arp[NET_ARP];
    uint16_t length = 0;
    net_peer from;
    const uint8_t *payload;

    if (size > NET_FRAME)
        return 0;
    payload = net_udp_payload(&own, data, (uint16_t)size, &length, &from);
    if (payload != NULL && (payload < data + NET_HEADERS || length > data + size - payload || from.port == 0))
        abort();
    if (net_arp_answer(&own, data, (uint16_t)size, arp) > 0 && payload != NULL)
        abort();
    return 0;
}
