/* Clock, tick and sleep on the lx106: the cycle counter CCOUNT, its comparator, and waiti. start.S says what an interrupt does here. */
#include "../net/board.h"
#include "nic.h"

#define FPGA_CLOCK (*(const volatile uint32_t *)0x9d020004u) /* Hz, told by the board */

enum { TIMER_INTERRUPT = 6 };

static uint32_t tick_cycles, last_tick, ticks; /* CCOUNT when `ticks` was raised last */

static uint32_t cycles(void)
{
    uint32_t now;

    __asm__ volatile("rsr %0, ccount" : "=r"(now));
    return now;
}

void board_start(void)
{
    tick_cycles = FPGA_CLOCK / 10;
    last_tick = cycles();
}

/* CCOUNT wraps every 2^32 cycles, 107 s at 40 MHz; board_idle comes here at least ten times a second. */
uint32_t board_ticks(void *ctx)
{
    (void)ctx;
    while (cycles() - last_tick >= tick_cycles) {
        last_tick += tick_cycles;
        ticks++;
    }
    return ticks;
}

void board_idle(void)
{
    uint32_t wake, level;

    (void)board_ticks(0);
    wake = last_tick + tick_cycles;
    __asm__ volatile("wsr %0, ccompare0\n esync" ::"r"(wake));
    if ((int32_t)(cycles() - wake) >= 0) /* just missed: the comparator would wait for the wrap */
        return;
    if (nic_waiting())
        return;
    __asm__ volatile("wsr %0, intenable\n rsync" ::"r"(1u << TIMER_INTERRUPT | 1u << NIC_INTERRUPT) : "memory");
    __asm__ volatile("waiti 0" ::: "memory"); /* lets interrupts in and waits, in one: no wake-up is lost */
    __asm__ volatile("rsil %0, 1" : "=r"(level)::"memory");
}
