#include "net.h"

#include <string.h>

/* Ethernet, IPv4, 6-byte and 4-byte addresses; what follows is the operation. */
static const uint8_t kind[] = {0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0};

enum { KIND = 12, OPERATION = 21, SENDER_MAC = 22, SENDER_IP = 28, TARGET_MAC = 32, TARGET_IP = 38, REQUEST = 1, REPLY = 2 };

static void write_arp(const net_address *own, uint8_t *frame, uint8_t operation)
{
    memcpy(frame + 6, own->mac, 6);
    memcpy(frame + KIND, kind, sizeof kind);
    frame[OPERATION] = operation;
    memcpy(frame + SENDER_MAC, own->mac, 6);
    memcpy(frame + SENDER_IP, own->ip, 4);
}

uint16_t net_arp_answer(const net_address *own, const uint8_t *frame, uint16_t n, uint8_t answer[NET_ARP])
{
    if (n < NET_ARP || memcmp(frame + KIND, kind, sizeof kind) != 0 || frame[OPERATION] != REQUEST || memcmp(frame + TARGET_IP, own->ip, 4) != 0)
        return 0;
    if (memcmp(frame + SENDER_IP, own->ip, 4) == 0 || (frame[SENDER_MAC] & 1) != 0)
        return 0; /* somebody announces our own address, or asks on behalf of a group: no one to answer */
    memcpy(answer, frame + SENDER_MAC, 6);
    write_arp(own, answer, REPLY);
    memcpy(answer + TARGET_MAC, frame + SENDER_MAC, 10); /* hardware and IP address */
    return NET_ARP;
}

uint16_t net_arp_announce(const net_address *own, uint8_t frame[NET_ARP])
{
    memset(frame, 0xff, 6);
    write_arp(own, frame, REQUEST);
    memset(frame + TARGET_MAC, 0, 6);
    memcpy(frame + TARGET_IP, own->ip, 4);
    return NET_ARP;
}
