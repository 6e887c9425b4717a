#include "net.h"

#include <stddef.h>
#include <string.h>

enum { PROTOCOL_UDP = 17, HOPS = 64, FRAGMENT = 0x3fff, DONT_FRAGMENT = 0x40 }; /* more fragments, and the offset */

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* RFC 1071; at most 65,535 bytes are added, so 32 bits hold the sum. */
static uint32_t sum(uint32_t so_far, const uint8_t *p, uint16_t n)
{
    for (; n > 1; n = (uint16_t)(n - 2), p += 2)
        so_far += load16(p);
    return n > 0 ? so_far + ((uint32_t)p[0] << 8) : so_far;
}

static uint16_t fold(uint32_t s)
{
    s = (s >> 16) + (s & 0xffff);
    s += s >> 16;
    return (uint16_t)~s;
}

/* Over the pseudo-header, whose two addresses stand next to each other in the IP header, and the datagram. */
static uint16_t udp_checksum(const uint8_t *addresses, const uint8_t *udp, uint16_t n)
{
    return fold(sum(sum((uint32_t)PROTOCOL_UDP + n, addresses, 8), udp, n));
}

int net_is_near(const net_address *own, const net_peer *peer)
{
    uint8_t i, bits = own->prefix, differ = 0;

    for (i = 0; i < 4 && bits > 0; i++) {
        uint8_t mask = (uint8_t)(bits >= 8 ? 0xff : 0xff00 >> bits);

        differ |= (uint8_t)((own->ip[i] ^ peer->ip[i]) & mask);
        bits = bits >= 8 ? (uint8_t)(bits - 8) : 0;
    }
    return differ == 0;
}

/* A sender that can be answered: one host, and another one. */
static int is_host(const net_address *own, const uint8_t *ip)
{
    return ip[0] != 0 && ip[0] != 127 && ip[0] < 224 && memcmp(ip, own->ip, 4) != 0;
}

const uint8_t *net_udp_payload(const net_address *own, const uint8_t *frame, uint16_t n, uint16_t *length, net_peer *from)
{
    const uint8_t *ip = frame + NET_ETHERNET, *udp;
    uint16_t header, total, datagram;

    if (n < NET_HEADERS || memcmp(frame, own->mac, 6) != 0 || (frame[6] & 1) != 0 || load16(frame + 12) != 0x0800)
        return NULL;
    header = (uint16_t)((ip[0] & 15) * 4);
    total = load16(ip + 2);
    if (ip[0] >> 4 != 4 || header < NET_IP || total < header + NET_UDP || total > n - NET_ETHERNET || fold(sum(0, ip, header)) != 0)
        return NULL;
    if ((load16(ip + 6) & FRAGMENT) != 0 || ip[9] != PROTOCOL_UDP || !is_host(own, ip + 12) || memcmp(ip + 16, own->ip, 4) != 0)
        return NULL;
    udp = ip + header;
    datagram = load16(udp + 4);
    if (load16(udp) == 0 || load16(udp + 2) != own->port || datagram < NET_UDP || datagram > total - header)
        return NULL;
    if (load16(udp + 6) != 0 && udp_checksum(ip + 12, udp, datagram) != 0) /* 0: its sender made none, as IPv4 allows */
        return NULL;
    memcpy(from->mac, frame + 6, 6);
    memcpy(from->ip, ip + 12, 4);
    from->port = load16(udp);
    *length = (uint16_t)(datagram - NET_UDP);
    return udp + NET_UDP;
}

uint16_t net_udp_frame(const net_address *own, const net_peer *to, uint8_t *frame, uint16_t length)
{
    uint8_t *ip = frame + NET_ETHERNET, *udp = ip + NET_IP;
    uint16_t checksum;

    memcpy(frame, to->mac, 6);
    memcpy(frame + 6, own->mac, 6);
    store16(frame + 12, 0x0800);
    memset(ip, 0, NET_IP + NET_UDP);
    ip[0] = 0x45;
    store16(ip + 2, (uint16_t)(NET_IP + NET_UDP + length));
    ip[6] = DONT_FRAGMENT; /* so the identification may be 0 (RFC 6864) */
    ip[8] = HOPS;
    ip[9] = PROTOCOL_UDP;
    memcpy(ip + 12, own->ip, 4);
    memcpy(ip + 16, to->ip, 4);
    store16(ip + 10, fold(sum(0, ip, NET_IP)));
    store16(udp, own->port);
    store16(udp + 2, to->port);
    store16(udp + 4, (uint16_t)(NET_UDP + length));
    checksum = udp_checksum(ip + 12, udp, (uint16_t)(NET_UDP + length));
    store16(udp + 6, checksum != 0 ? checksum : 0xffff); /* 0 would mean none */
    return (uint16_t)(NET_HEADERS + length);
}
