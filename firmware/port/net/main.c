/* The greenhouse on a board with a network. */
#include "../../greenhouse/greenhouse.h"
#include "board.h"
#include "console.h"
#include "eeprom.h"
#include "net.h"
#include "semi.h"
#include "stack.h"

enum { CLAIM_WINDOW = 6000, BATCH = 16 }; /* ticks: 10 minutes after a reset; frames between two polls */

/* QEMU's user network gives this address and no other to a guest. A hardware address that is administered locally: each emulated board is alone on its link. */
static const net_address own = {{0x02, 'e', 'd', 'g', 0, 1}, {10, 0, 2, 15}, 24, 5683};

static edg_device device;
static greenhouse service;
static edg_platform platform;
static net_peer home; /* who was answered last; port 0: nobody yet */

static uint8_t in[NET_FRAME];
static uint8_t out[NET_HEADERS + BOARD_MESSAGE]; /* the answer is kept between requests: the core repeats it from here */

static void on_valve(void *ctx, uint8_t percent, uint16_t count)
{
    (void)ctx;
    (void)count;
    console_tell("valve ", percent);
}

static unsigned link_flags(const net_peer *peer)
{
    if (!net_is_near(&own, peer))
        return 0;
    return board_ticks(0) < CLAIM_WINDOW ? EDG_LINK_LOCAL | EDG_LINK_CLAIM : EDG_LINK_LOCAL;
}

static void answer(uint8_t *message, uint16_t n, const net_peer *from)
{
    uint16_t length = (uint16_t)edg_device_handle(&device, message, n, out + NET_HEADERS, BOARD_MESSAGE, link_flags(from));

    if (length > 0) {
        nic_send(out, net_udp_frame(&own, from, out, length));
        home = *from;
    }
    edg_device_poll(&device); /* what a call left to be written */
}

/* At most BATCH frames, so that a flood does not keep the samples waiting. */
static void serve_waiting(void)
{
    uint8_t arp[NET_ARP], i;
    uint16_t n, length;
    net_peer from;

    for (i = 0; i < BATCH && (n = nic_receive(in, sizeof in)) > 0; i++) {
        const uint8_t *message = net_udp_payload(&own, in, n, &length, &from);

        if (message != NULL && length <= BOARD_MESSAGE)
            answer(in + (message - in), length, &from);
        else if (net_arp_answer(&own, in, n, arp) > 0)
            nic_send(arp, sizeof arp);
    }
}

static void tell_news(void)
{
    uint8_t frame[NET_HEADERS + EDG_NEWS_MAX];
    uint16_t n = (uint16_t)edg_device_news(&device, frame + NET_HEADERS);

    if (n > 0 && home.port != 0)
        nic_send(frame, net_udp_frame(&own, &home, frame, n));
}

/* Says so when the stack has been deeper than ever: a thousand words are looked at, ten times a second. */
static void tell_stack(void)
{
    static uint32_t told;
    uint32_t used = stack_used();

    if (used > told) {
        told = used;
        console_tell("stack ", used);
    }
}

int main(void)
{
    uint8_t arp[NET_ARP];

    board_start();
    if (eeprom_start() != EDG_OK) {
        semi_print("no EEPROM: want the name of a file of 1,024 bytes, -semihosting-config enable=on,target=native,arg=greenhouse,arg=FILE\n");
        return 1;
    }
    service.on_valve = on_valve;
    platform.ticks = board_ticks;
    platform.nv_read = eeprom_load;
    platform.nv_write = eeprom_save;
    if (edg_device_init(&device, &platform, &greenhouse_service, &service) != EDG_OK) {
        semi_print("the EEPROM cannot be read\n");
        return 1;
    }
    nic_start(own.mac);
    nic_send(arp, net_arp_announce(&own, arp));
    console_tell("ready udp 10.0.2.15:5683 boot ", edg_device_boot(&device));
    for (;;) {
        serve_waiting();
        edg_device_poll(&device);
        tell_news();
        tell_stack();
        board_idle();
    }
}
