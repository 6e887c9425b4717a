/* Handlers that an image may supply. Interrupts are off until main switches them on. */
#ifndef EDG_CORTEXM3_START_H
#define EDG_CORTEXM3_START_H

#include <stdint.h>

enum { IRQ_ETHERNET = 42 };

void on_tick(void);     /* SysTick */
void on_ethernet(void); /* IRQ_ETHERNET */

#endif
