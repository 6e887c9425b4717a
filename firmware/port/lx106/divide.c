/* The core has no divider, and Debian's libgcc for it lacks these two: division by shifting and subtracting, a bit at a time. */
#include <stdint.h>

uint32_t __udivsi3(uint32_t n, uint32_t d);
uint32_t __umodsi3(uint32_t n, uint32_t d);

/* Quotient and remainder; of a division by 0 all ones and n, as nothing better is defined. */
static uint32_t divide(uint32_t n, uint32_t d, uint32_t *rest)
{
    uint32_t q = 0, r = 0;
    uint8_t bit;

    for (bit = 32; bit > 0;) {
        uint32_t carry = r >> 31; /* r may need 33 bits */

        bit--;
        r = r << 1 | (n >> bit & 1);
        q <<= 1;
        if (carry || r >= d) {
            r -= d;
            q |= 1;
        }
    }
    *rest = r;
    return q;
}

uint32_t __udivsi3(uint32_t n, uint32_t d)
{
    uint32_t rest;

    return divide(n, d, &rest);
}

uint32_t __umodsi3(uint32_t n, uint32_t d)
{
    uint32_t rest;

    (void)divide(n, d, &rest);
    return rest;
}
