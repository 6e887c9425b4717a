/* Cortex-M3: the vectors, and from reset to main. */
#include "start.h"
#include "../net/semi.h"

#define EXIT_FAULT 70
#define PAINT 0xa5a5a5a5u /* on the whole stack, so that the deepest use can be seen afterwards */

extern uint32_t _stack_low[], _stack_top[], _data_load[], _data_start[], _data_end[], _bss_start[], _bss_end[];

int main(void);

/* No way on; on a board without an emulator the watchdog's part. */
static void fault(void) __attribute__((noreturn));
static void fault(void)
{
    semi_exit(EXIT_FAULT);
}

/* Naked: it paints the stack that it would stand on. */
void start(void) __attribute__((naked, noreturn));

void start_c(void) __attribute__((noreturn, used));
void start_c(void)
{
    const uint32_t *from = _data_load;
    uint32_t *to;

    for (to = _data_start; to < _data_end;)
        *to++ = *from++;
    for (to = _bss_start; to < _bss_end;)
        *to++ = 0;
    semi_exit(main());
}

void start(void)
{
    __asm__ volatile("cpsid i\n"
                     "ldr r0, =_stack_low\n"
                     "ldr r1, =_stack_top\n"
                     "ldr r2, =%c0\n"
                     "1: str r2, [r0], #4\n"
                     "cmp r0, r1\n"
                     "blo 1b\n"
                     "b start_c\n"
                     ".ltorg\n" ::"i"(PAINT));
}

/* Images without a tick or a network have no use for these. */
static void nothing(void) {}
void on_tick(void) __attribute__((weak, alias("nothing")));
void on_ethernet(void) __attribute__((weak, alias("nothing")));

typedef void (*vector)(void);

/* Interrupts that are not named here stay disabled. */
static const struct {
    uint32_t *stack;
    vector entries[15 + IRQ_ETHERNET + 1];
} vectors __attribute__((section(".vectors"), used)) = {
    _stack_top,
    {
        start, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, on_tick,
        [15 + IRQ_ETHERNET] = on_ethernet,
    },
};
