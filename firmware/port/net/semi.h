/* Semihosting: the little that a bare-metal image may ask of the emulator (or debugger) that it runs under. Each port has its own semi.c.
 * On a board with nobody at the other end none of this exists; net/eeprom.c says what takes its place. */
#ifndef EDG_NET_SEMI_H
#define EDG_NET_SEMI_H

#include <stdint.h>

/* Text onto the emulator's output. */
void semi_print(const char *text);
/* Ends the emulator with this exit code. */
void semi_exit(int code) __attribute__((noreturn));
/* The words behind the image's own name on the emulator's command line, as text; its length, or -1: none, or more than cap - 1. */
int semi_argument(char *text, uint16_t cap);

/* An existing file, to be read and written; a handle, or -1. */
int semi_open(const char *path);
/* Exactly n bytes at `at`; 0 or -1. What was written survives the emulator, if not this machine's power. */
int semi_read(int file, uint16_t at, void *to, uint16_t n);
int semi_write(int file, uint16_t at, const void *from, uint16_t n);

#endif
