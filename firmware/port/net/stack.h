/* How deep the stack has been: the start code painted it, and what is not paint any more was used. */
#ifndef EDG_NET_STACK_H
#define EDG_NET_STACK_H

#include <stdint.h>

/* Bytes, from the top to the deepest word ever written. */
uint32_t stack_used(void);

#endif
