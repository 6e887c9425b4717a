/* A benchmark on a simulated AVR: sleeping with interrupts off ends it. */
#include <avr/sleep.h>

#include "mark.h"

int main(void)
{
    if (bench_run() != 0)
        edg_mark_failed();
    for (;;)
        sleep_cpu();
}
