/* The greenhouse on an ATmega328P. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/wdt.h>

#include "../../greenhouse/greenhouse.h"
#include "board.h"

/* sha256_block.S wants the block, which is the device's first member, aligned to 64 bytes. As an attribute that would have the assembler fill the section up
 * to 64 bytes as well. So the device comes first in RAM instead, which begins at 0x100: all else is in sections of other names. checks.ld checks it. */
edg_device board_device __attribute__((section(".bss"), externally_visible));
typedef char block_is_first[offsetof(edg_device, sha.block) == 0 ? 1 : -1];

static uint8_t in[BOARD_IN + 2]; /* a message and its CRC */
static uint8_t out[BOARD_OUT];   /* kept between requests: the core repeats the last answer from it */
greenhouse board_greenhouse;

const edg_platform board_platform = {NULL, tick_now, eeprom_load, eeprom_save};

/* One request: the in-buffer is free again before the first byte of the answer leaves. */
static void answer(void)
{
    uint16_t n;
    uint8_t *message = line_message(&n);

    GPIOR0 = EDG_MARK_REQUEST;
    n = (uint16_t)edg_device_handle(&board_device, message, n, out, sizeof out, EDG_LINK_LOCAL | EDG_LINK_CLAIM);
    GPIOR0 = EDG_MARK_ANSWER;
    line_release();
    if (n > 0)
        line_send(out, n);
    GPIOR0 = EDG_MARK_SENT;
}

static void tell_news(void)
{
    uint8_t news[EDG_NEWS_MAX];
    uint16_t n = (uint16_t)edg_device_news(&board_device, news);

    if (n > 0)
        line_send(news, n);
}

static void halt(void)
{
    /* No EEPROM, no boot counter: the link stays off, and the watchdog tries again, ever later. */
    for (;;)
        tick_sleep();
}

int main(void) __attribute__((OS_main)); /* nothing to save for a caller: 18 B of stack */
int main(void)
{
    uint16_t boot;

    PRR = _BV(PRADC) | _BV(PRSPI) | _BV(PRTWI) | _BV(PRTIM2); /* not needed here */
    tick_start();
    restart_wait();
    valve_start();
    button_start();
    if (edg_device_init(&board_device, NULL, NULL, NULL) != EDG_OK) /* config.h tells them */
        halt();
    line_start(in, sizeof in);
    boot = (uint16_t)edg_device_boot(&board_device);
    GPIOR1 = (uint8_t)boot;
    GPIOR2 = (uint8_t)(boot >> 8);
    GPIOR0 = EDG_MARK_READY;

    for (;;) {
        wdt_reset();
        if (line_has_message())
            answer();
        edg_device_poll(&board_device);
        tell_news();
        restart_settle(tick_now(0));
        if (button_held(tick_now(0)) && edg_device_factory_reset(&board_device) != EDG_OK)
            halt();
        cli();
        if (!line_has_message())
            tick_sleep(); /* enables interrupts with the instruction before the sleep: no wake-up is lost */
        sei();
    }
}
