#include "stack.h"

#define PAINT 0xa5a5a5a5u

extern const volatile uint32_t _stack_low[], _stack_top[]; /* image.ld */

uint32_t stack_used(void)
{
    const volatile uint32_t *word = _stack_low;

    while (word < _stack_top && *word == PAINT)
        word++;
    return (uint32_t)(_stack_top - word) * sizeof *word;
}
