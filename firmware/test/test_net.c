#include "../port/net/net.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

static const net_address own = {{2, 'e', 'd', 'g', 0, 1}, {10, 0, 2, 15}, 24, 5683};

/* Seven bytes from 10.0.2.2 port 48879, and three back to it, with checksums that another program computed. */
static const uint8_t asked[] = {
    0x02, 0x65, 0x64, 0x67, 0x00, 0x01, 0x52, 0x55, 0x0a, 0x00, 0x02, 0x02, 0x08, 0x00, 0x45, 0x00, 0x00, 0x23, 0x00, 0x07,
    0x00, 0x00, 0x40, 0x11, 0x62, 0xb3, 0x0a, 0x00, 0x02, 0x02, 0x0a, 0x00, 0x02, 0x0f, 0xbe, 0xef, 0x16, 0x33, 0x00, 0x0f,
    0xbf, 0x65, 0x40, 0x01, 0x12, 0x34, 0xff, 0x01, 0x02,
};
static const uint8_t answered[] = {
    0x52, 0x55, 0x0a, 0x00, 0x02, 0x02, 0x02, 0x65, 0x64, 0x67, 0x00, 0x01, 0x08, 0x00, 0x45, 0x00, 0x00, 0x1f, 0x00, 0x00,
    0x40, 0x00, 0x40, 0x11, 0x22, 0xbe, 0x0a, 0x00, 0x02, 0x0f, 0x0a, 0x00, 0x02, 0x02, 0x16, 0x33, 0xbe, 0xef, 0x00, 0x0b,
    0x82, 0x39, 0x6f, 0x6b, 0x21,
};

/* What the board makes of a frame, which ends where the memory does: the sanitizer sees a byte read too far. */
static int taken(const uint8_t *frame, uint16_t n, uint16_t *length, net_peer *from)
{
    uint8_t *exact = malloc(n + 1u), arp[NET_ARP];
    const uint8_t *payload;
    int in_frame = 0;

    if (exact == NULL)
        abort();
    memcpy(exact + 1, frame, n);
    payload = net_udp_payload(&own, exact + 1, n, length, from);
    if (payload != NULL)
        in_frame = payload >= exact + 1 + NET_HEADERS && payload + *length <= exact + 1 + n;
    CHECK(payload == NULL || in_frame);
    if (net_arp_answer(&own, exact + 1, n, arp) > 0)
        CHECK(payload == NULL && memcmp(arp + 6, own.mac, 6) == 0);
    free(exact);
    return payload != NULL;
}

static void check_udp(void)
{
    uint8_t frame[NET_FRAME] = {0};
    uint16_t n, length;
    net_peer from;
    size_t i;

    CHECK(taken(asked, sizeof asked, &length, &from));
    CHECK_EQ(length, 7);
    CHECK_EQ(from.port, 48879);
    CHECK(memcmp(from.ip, "\x0a\0\2\2", 4) == 0 && memcmp(from.mac, asked + 6, 6) == 0);
    CHECK(net_is_near(&own, &from));

    memcpy(frame + NET_HEADERS, "ok!", 3);
    CHECK_EQ(net_udp_frame(&own, &from, frame, 3), sizeof answered);
    CHECK(memcmp(frame, answered, sizeof answered) == 0);

    /* A cut frame is none; padding behind the datagram is not looked at. */
    for (n = 0; n < sizeof asked; n++)
        CHECK(!taken(asked, n, &length, &from));
    memset(frame, 0x77, sizeof frame);
    memcpy(frame, asked, sizeof asked);
    CHECK(taken(frame, 60, &length, &from));
    CHECK_EQ(length, 7);

    /* A flipped bit is found, but where nothing is at stake: in the sender's hardware address. */
    for (i = 0; i < sizeof asked * 8; i++) {
        memcpy(frame, asked, sizeof asked);
        frame[i / 8] ^= (uint8_t)(1u << i % 8);
        if (i / 8 < 6 || i / 8 > 11)
            CHECK(!taken(frame, sizeof asked, &length, &from));
    }
    memcpy(frame, asked, sizeof asked);
    frame[6] |= 1; /* nobody can be answered at a group's address */
    CHECK(!taken(frame, sizeof asked, &length, &from));
    memcpy(frame, asked, sizeof asked);
    frame[40] = frame[41] = 0; /* no checksum was made */
    CHECK(taken(frame, sizeof asked, &length, &from));
    frame[34] = frame[35] = 0; /* port 0: nobody can be answered there either */
    CHECK(!taken(frame, sizeof asked, &length, &from));

    /* A checksum that comes out as 0, which some payload of two bytes gives, is sent as its other form. */
    for (i = 0, n = 0; i < 65536; i++) {
        frame[NET_HEADERS] = (uint8_t)(i >> 8);
        frame[NET_HEADERS + 1] = (uint8_t)i;
        (void)net_udp_frame(&own, &from, frame, 2);
        if (frame[40] == 0xff && frame[41] == 0xff)
            n++;
        CHECK(frame[40] != 0 || frame[41] != 0);
    }
    CHECK_EQ(n, 1);
}

/* Sets bytes of the IP header and makes its checksum good again. */
static int taken_with(size_t at, uint8_t value)
{
    uint8_t frame[sizeof asked];
    uint32_t sum = 0;
    uint16_t length;
    net_peer from;
    size_t i;

    memcpy(frame, asked, sizeof asked);
    frame[at] = value;
    frame[24] = frame[25] = 0;
    frame[40] = frame[41] = 0; /* addresses count in UDP's */
    for (i = 14; i < 34; i += 2)
        sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = ~(sum + (sum >> 16));
    frame[24] = (uint8_t)(sum >> 8);
    frame[25] = (uint8_t)sum;
    return taken(frame, sizeof frame, &length, &from);
}

static void check_ip(void)
{
    CHECK(taken_with(22, 1));     /* time to live: as good as any */
    CHECK(!taken_with(14, 0x65)); /* version 6 */
    CHECK(!taken_with(14, 0x44)); /* a header of 16 bytes */
    CHECK(!taken_with(14, 0x4f)); /* or of more than there is */
    CHECK(!taken_with(17, 27));   /* shorter than its headers */
    CHECK(!taken_with(17, 36));   /* longer than the frame */
    CHECK(!taken_with(17, 34));   /* shorter than the datagram */
    CHECK(!taken_with(39, 7));    /* a datagram shorter than its header */
    CHECK(!taken_with(20, 0x20)); /* more fragments */
    CHECK(!taken_with(21, 1));    /* a later fragment */
    CHECK(!taken_with(23, 6));    /* TCP */
    CHECK(!taken_with(26, 224));  /* from a group */
    CHECK(!taken_with(26, 0));
    CHECK(!taken_with(26, 127));
    CHECK(!taken_with(29, 15));  /* from ourselves */
    CHECK(!taken_with(33, 255)); /* to all */
    CHECK(!taken_with(33, 16));  /* to another */
}

static void check_near(void)
{
    net_peer peer = {{0}, {10, 0, 2, 255}, 1};
    net_address odd = own;

    CHECK(net_is_near(&own, &peer));
    peer.ip[2] = 3;
    CHECK(!net_is_near(&own, &peer));
    odd.prefix = 23;
    CHECK(net_is_near(&odd, &peer));
    odd.prefix = 31;
    CHECK(!net_is_near(&odd, &peer));
}

static void check_arp(void)
{
    uint8_t frame[60] = {0}, answer[NET_ARP], n;

    memset(frame, 0xff, 6);
    memcpy(frame + 6, "\x52\x55\x0a\0\2\2\x08\x06\0\1\x08\0\6\4\0\1\x52\x55\x0a\0\2\2\x0a\0\2\2\0\0\0\0\0\0\x0a\0\2\x0f", 36);
    CHECK_EQ(net_arp_answer(&own, frame, sizeof frame, answer), NET_ARP);
    CHECK(memcmp(answer, "\x52\x55\x0a\0\2\2\2edg\0\1\x08\x06\0\1\x08\0\6\4\0\2\2edg\0\1\x0a\0\2\x0f\x52\x55\x0a\0\2\2\x0a\0\2\2", NET_ARP) == 0);
    for (n = 0; n < NET_ARP; n++)
        CHECK_EQ(net_arp_answer(&own, frame, n, answer), 0);
    for (n = 12; n < 22; n++) { /* another protocol, an answer, other sizes of addresses */
        frame[n] ^= 2;
        CHECK_EQ(net_arp_answer(&own, frame, sizeof frame, answer), 0);
        frame[n] ^= 2;
    }
    frame[22] |= 1; /* nobody can be answered at a group's address */
    CHECK_EQ(net_arp_answer(&own, frame, sizeof frame, answer), 0);
    frame[22] ^= 1;
    frame[41] = 16; /* somebody else is asked for */
    CHECK_EQ(net_arp_answer(&own, frame, sizeof frame, answer), 0);

    CHECK_EQ(net_arp_announce(&own, answer), NET_ARP);
    CHECK(memcmp(answer, "\xff\xff\xff\xff\xff\xff\2edg\0\1\x08\x06\0\1\x08\0\6\4\0\1\2edg\0\1\x0a\0\2\x0f\0\0\0\0\0\0\x0a\0\2\x0f", NET_ARP) == 0);
    CHECK_EQ(net_arp_answer(&own, answer, NET_ARP, frame), 0); /* not even to ourselves */
}

/* Good frames with a few bytes changed, and of any length. */
static void check_mutations(void)
{
    uint8_t frame[NET_FRAME];
    uint32_t random = 1;
    unsigned long run;

    for (run = 0; run < 20000; run++) {
        uint16_t n, length;
        net_peer from;
        uint8_t i;

        memset(frame, 0, sizeof frame);
        memcpy(frame, asked, sizeof asked);
        for (i = 0; i < 4; i++) {
            random = random * 1664525u + 1013904223u;
            frame[random >> 8 & 63] = (uint8_t)(random >> 16);
        }
        n = (uint16_t)((random >> 24) % 128);
        frame[40] = frame[41] = 0;
        (void)taken(frame, n, &length, &from);
    }
}

void test_net(void)
{
    check_udp();
    check_ip();
    check_near();
    check_arp();
    check_mutations();
}
