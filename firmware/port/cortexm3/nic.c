/* The LM3S6965's Ethernet MAC: a FIFO of words for each direction. The first word of a frame has its length in the low half, and the frame begins in the high one. */
#include "nic.h"

#include "../net/board.h"
#include "../net/net.h"
#include "registers.h"
#include "start.h"

#define CLOCK_PHY_MAC (1u << 30 | 1u << 28)
#define STATUS_ALL 0x7fu
#define STATUS_RECEIVED 0x01u
#define RECEIVE_RESET 0x10u
#define RECEIVE_ON 0x09u  /* and let go what is damaged */
#define TRANSMIT_ON 0x0fu /* pad, append a check sequence, full duplex */
#define THRESHOLD_NONE 0x3fu /* a frame leaves when it is whole */

enum { COUNT = 2, CHECK_SEQUENCE = 4, PATIENCE = 1000000 };

/* The interrupt has ended the sleep, which is all it is for; main forgets its cause when it has looked. */
void on_ethernet(void)
{
    MAC_MASK = 0;
}

void nic_start(const uint8_t mac[6])
{
    SYS_RCGC2 |= CLOCK_PHY_MAC;
    (void)SYS_RCGC2; /* the clock takes a few cycles */
    MAC_MASK = 0;
    MAC_RECEIVE = RECEIVE_RESET;
    MAC_STATUS = STATUS_ALL;
    MAC_ADDRESS0 = (uint32_t)mac[3] << 24 | (uint32_t)mac[2] << 16 | (uint32_t)mac[1] << 8 | mac[0];
    MAC_ADDRESS1 = (uint32_t)mac[5] << 8 | mac[4];
    MAC_THRESHOLD = THRESHOLD_NONE;
    MAC_TRANSMIT = TRANSMIT_ON;
    MAC_RECEIVE = RECEIVE_ON;
    INTERRUPT_ENABLE[IRQ_ETHERNET / 32] = 1u << IRQ_ETHERNET % 32;
}

int nic_waiting(void)
{
    MAC_STATUS = STATUS_RECEIVED; /* before the look: a frame that comes after it raises the interrupt again */
    MAC_MASK = STATUS_RECEIVED;
    return MAC_FRAMES != 0;
}

uint16_t nic_receive(uint8_t *frame, uint16_t cap)
{
    uint32_t word;
    uint16_t whole, n, at;

    if (MAC_FRAMES == 0)
        return 0;
    word = MAC_DATA;
    whole = (uint16_t)word; /* with the count itself and the check sequence */
    n = whole > COUNT + CHECK_SEQUENCE ? (uint16_t)(whole - COUNT - CHECK_SEQUENCE) : 0;
    if (n > cap)
        n = 0;
    for (at = COUNT; at < whole; at++) { /* all of it, or the next frame would begin in the middle */
        if (at % 4 == 0)
            word = MAC_DATA;
        if (at - COUNT < n)
            frame[at - COUNT] = (uint8_t)(word >> at % 4 * 8);
    }
    return n;
}

void nic_send(const uint8_t *frame, uint16_t n)
{
    uint32_t patience = PATIENCE, word;
    uint16_t at;

    while ((MAC_SEND & 1) != 0 && --patience > 0)
        ;
    if (patience == 0 || n < NET_ETHERNET || n > NET_FRAME)
        return; /* the MAC hangs: nothing can be sent */
    word = (uint32_t)(n - NET_ETHERNET); /* it counts the payload */
    for (at = COUNT; at < n + COUNT; at++) {
        word |= (uint32_t)frame[at - COUNT] << at % 4 * 8;
        if (at % 4 == 3) {
            MAC_DATA = word;
            word = 0;
        }
    }
    if (at % 4 != 0)
        MAC_DATA = word;
    MAC_SEND = 1;
}
