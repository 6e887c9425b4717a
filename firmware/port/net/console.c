#include "console.h"

#include "semi.h"

void console_tell(const char *text, uint32_t number)
{
    char digits[12]; /* 10, a line feed, and the end */
    char *at = digits + sizeof digits;

    *--at = 0;
    *--at = '\n';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    semi_print(text);
    semi_print(at);
}
