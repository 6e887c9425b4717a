/* Clock, tick and sleep on the LM3S6965: 50 MHz from the PLL, SysTick, wfi. */
#include "../net/board.h"
#include "nic.h"
#include "registers.h"
#include "start.h"

#define CLOCK 50000000u

/* RCC: divide by 4, crystal of 8 MHz, main oscillator. */
#define RCC_DIVIDE_4 (3u << 23)
#define RCC_USE_DIVIDER (1u << 22)
#define RCC_PLL_OFF (1u << 13)
#define RCC_BYPASS (1u << 11)
#define RCC_CRYSTAL_8MHZ (0xEu << 6)
#define RCC_INTERNAL (1u << 4) /* the oscillator that it starts with, while the crystal begins to swing */
#define PLL_LOCKED (1u << 6)

#define TICK_RUN 7u /* on, interrupt, processor clock */

enum { PATIENCE = 100000, CRYSTAL_START = 20000 };

static volatile uint32_t ticks;

void on_tick(void)
{
    ticks++;
}

static void clock_start(void)
{
    uint32_t wait = CRYSTAL_START, patience = PATIENCE;

    SYS_RCC = RCC_BYPASS | RCC_PLL_OFF | RCC_CRYSTAL_8MHZ | RCC_INTERNAL;
    while (--wait > 0)
        (void)SYS_RIS;
    SYS_RCC = RCC_BYPASS | RCC_CRYSTAL_8MHZ | RCC_DIVIDE_4 | RCC_USE_DIVIDER;
    while ((SYS_RIS & PLL_LOCKED) == 0 && --patience > 0)
        ;
    SYS_RCC = RCC_CRYSTAL_8MHZ | RCC_DIVIDE_4 | RCC_USE_DIVIDER;
}

void board_start(void)
{
    clock_start();
    TICK_RELOAD = CLOCK / 10 - 1;
    TICK_VALUE = 0;
    TICK_CONTROL = TICK_RUN;
    __asm__ volatile("cpsie i" ::: "memory");
}

uint32_t board_ticks(void *ctx)
{
    (void)ctx;
    return ticks;
}

/* wfi ends for an interrupt that is held back, too: with them off between the look and the sleep, no wake-up is lost. */
void board_idle(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
    if (!nic_waiting())
        __asm__ volatile("dsb\n wfi" ::: "memory");
    __asm__ volatile("cpsie i\n isb" ::: "memory");
}
