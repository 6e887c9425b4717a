/* What the board tells whoever looks on. */
#ifndef EDG_NET_CONSOLE_H
#define EDG_NET_CONSOLE_H

#include <stdint.h>

/* A line: text, and a number behind it. */
void console_tell(const char *text, uint32_t number);

#endif
