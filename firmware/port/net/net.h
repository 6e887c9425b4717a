/* The least network that serves CoAP: Ethernet II, ARP (RFC 826), IPv4 (RFC 791) and UDP (RFC 768) at one fixed address. Bytes in, bytes out: nothing here
 * touches a device, and whoever calls owns every buffer.
 *
 * An answer goes back to the hardware address that its request came from, so the board asks nobody for an address, keeps no table that could
 * be filled or poisoned, and never sends anything but answers, announcements and news. Fragments are dropped, IP options skipped, and what is
 * not ARP or UDP to this board is ignored.
 */
#ifndef EDG_NET_H
#define EDG_NET_H

#include <stdint.h>

enum {
    NET_ETHERNET = 14, /* header */
    NET_IP = 20,
    NET_UDP = 8,
    NET_HEADERS = NET_ETHERNET + NET_IP + NET_UDP,
    NET_FRAME = NET_ETHERNET + 1500,
    NET_ARP = NET_ETHERNET + 28
};

typedef struct net_address {
    uint8_t mac[6];
    uint8_t ip[4];
    uint8_t prefix; /* bits of the network part, 1..31 */
    uint16_t port;
} net_address;

typedef struct net_peer {
    uint8_t mac[6];
    uint8_t ip[4];
    uint16_t port;
} net_peer;

/* 1 if the peer is on the same link. */
int net_is_near(const net_address *own, const net_peer *peer);

/* The answer to an ARP request for this board; its length NET_ARP, 0: it is none. */
uint16_t net_arp_answer(const net_address *own, const uint8_t *frame, uint16_t n, uint8_t answer[NET_ARP]);
/* Tells the link who is here (RFC 5227, announcement), so that the first datagram finds its way. */
uint16_t net_arp_announce(const net_address *own, uint8_t frame[NET_ARP]);

/* The payload of a UDP datagram for this board, its length and who sent it; NULL: the frame is none. It stays in `frame`. */
const uint8_t *net_udp_payload(const net_address *own, const uint8_t *frame, uint16_t n, uint16_t *length, net_peer *from);
/* Puts the headers in front of a payload of `length` bytes that stands at frame + NET_HEADERS; returns the length of the frame. */
uint16_t net_udp_frame(const net_address *own, const net_peer *to, uint8_t *frame, uint16_t length);

#endif
