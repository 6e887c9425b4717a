/* The OpenCores 10/100 Ethernet MAC of the LX60 board (its specification: "Ethernet IP Core", I. Mohor, revision 1.19). It works on
 * descriptors and on 16 KiB of memory of its own: one frame to send, eight to receive. */
#include "nic.h"

#include <string.h>

#include "../net/board.h"
#include "../net/net.h"

#define REGISTERS ((volatile uint32_t *)0x9d030000u)
#define MEMORY 0x9d800000u

enum { MODER = 0, INT_SOURCE = 1, INT_MASK = 2, TX_BD_NUM = 8, MAC_ADDR0 = 16, MAC_ADDR1 = 17, DESCRIPTORS = 0x400 / 4 };
#define MODER_VALUE 0xa403u /* pad, append a check sequence, full duplex, send, receive; broadcasts come in, for ARP */
#define INT_RECEIVED 0x14u  /* a frame, or no room for one */

#define TX_READY 0x8000u
#define TX_FLAGS 0xb800u /* ready, last descriptor, pad, append a check sequence */
#define RX_EMPTY 0x8000u
#define RX_INTERRUPT 0x4000u
#define RX_LAST 0x2000u
#define RX_DAMAGED 0x7fu

enum { ROOM = 1536, RECEIVING = 8, CHECK_SEQUENCE = 4, PATIENCE = 1000000 };

typedef struct descriptor {
    uint32_t length_flags;
    uint32_t buffer;
} descriptor;

/* [0] sends. */
static volatile descriptor *const descriptors = (volatile descriptor *)(REGISTERS + DESCRIPTORS);

static uint8_t next; /* receiving descriptor that the MAC fills next, from 0 */

static void offer(uint8_t i)
{
    descriptors[1 + i].length_flags = RX_EMPTY | RX_INTERRUPT | (i == RECEIVING - 1 ? RX_LAST : 0);
}

void nic_start(const uint8_t mac[6])
{
    uint8_t i;

    REGISTERS[MODER] = 0;
    REGISTERS[INT_MASK] = INT_RECEIVED;
    REGISTERS[TX_BD_NUM] = 1;
    REGISTERS[MAC_ADDR0] = (uint32_t)mac[2] << 24 | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
    REGISTERS[MAC_ADDR1] = (uint32_t)mac[0] << 8 | mac[1];
    descriptors[0].length_flags = 0;
    descriptors[0].buffer = MEMORY;
    for (i = 0; i < RECEIVING; i++) {
        descriptors[1 + i].buffer = MEMORY + (uint32_t)ROOM * (1u + i);
        offer(i);
    }
    next = 0;
    REGISTERS[MODER] = MODER_VALUE;
}

int nic_waiting(void)
{
    REGISTERS[INT_SOURCE] = INT_RECEIVED; /* before the look: a frame that comes after it raises the interrupt again */
    return (descriptors[1 + next].length_flags & RX_EMPTY) == 0;
}

uint16_t nic_receive(uint8_t *frame, uint16_t cap)
{
    uint32_t status = descriptors[1 + next].length_flags;
    uint16_t n = (uint16_t)(status >> 16);

    if ((status & RX_EMPTY) != 0)
        return 0;
    n = n > CHECK_SEQUENCE ? (uint16_t)(n - CHECK_SEQUENCE) : 0;
    if ((status & RX_DAMAGED) != 0 || n > cap)
        n = 0;
    memcpy(frame, (const void *)descriptors[1 + next].buffer, n);
    offer(next);
    next = (uint8_t)((next + 1) % RECEIVING);
    return n;
}

void nic_send(const uint8_t *frame, uint16_t n)
{
    uint32_t patience = PATIENCE;

    while ((descriptors[0].length_flags & TX_READY) != 0 && --patience > 0)
        ;
    if (patience == 0 || n > NET_FRAME)
        return; /* the MAC hangs: nothing can be sent */
    memcpy((void *)descriptors[0].buffer, frame, n);
    descriptors[0].length_flags = (uint32_t)n << 16 | TX_FLAGS;
}
