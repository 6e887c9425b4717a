/* The ATmega328P board at 16 MHz: serial line on UART0 (115,200 baud 8N1), valve on OC0A (PD6), button on PD2,
 * tick on timer 1. */
#ifndef EDG_ATMEGA328P_BOARD_H
#define EDG_ATMEGA328P_BOARD_H

#include <stdint.h>

#include "../../core/edg.h"

#define BOARD_IN 200  /* longest message that is received */
#define BOARD_OUT 128 /* longest answer */

/* ---- tick.c ---- */

void tick_start(void);        /* and enables interrupts */
uint32_t tick_now(void *ctx); /* 100 ms units since boot */
void tick_sleep(void);        /* until the next interrupt; enables interrupts on the way */

/* ---- line.c ---- */

void line_start(uint8_t *in, uint16_t cap); /* enables the receiver: from here on a message and its CRC may come into `in` */
uint8_t line_has_message(void);
uint8_t *line_message(uint16_t *n); /* stays until line_release; nothing is received meanwhile */
void line_release(void);
void line_send(const uint8_t *message, uint16_t n);

/* ---- eeprom.c ---- */

int eeprom_load(void *ctx, uint16_t addr, void *dst, uint16_t n);
int eeprom_save(void *ctx, uint16_t addr, const void *src, uint16_t n);

/* ---- restart.c ---- */

/* Waits as long as the watchdog resets before this start demand, then leaves the watchdog running (2 s). */
void restart_wait(void);
/* To be called now and then: forgets those resets once the firmware has run for five minutes. */
void restart_settle(uint32_t ticks);

/* ---- valve.c ---- */

void valve_start(void);
void valve_set(uint8_t percent, uint8_t count);

/* ---- button.c ---- */

void button_start(void);
uint8_t button_held(uint32_t ticks); /* 1, once, when it has been held for five seconds */

#endif
