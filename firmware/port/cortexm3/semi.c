/* Arm semihosting: number in r0, a block of arguments in r1, result in r0. */
#include "../net/semi.h"

#include <string.h>

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_SEEK = 0x0A, SYS_COMMAND_LINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };
enum { OPEN_READ_WRITE = 3, LINE = 512 }; /* mode "r+b" */
#define APPLICATION_EXIT 0x20026u

static int32_t semihost(uint32_t number, const void *block)
{
    register uint32_t r0 __asm__("r0") = number;
    register const void *r1 __asm__("r1") = block;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

void semi_print(const char *text)
{
    (void)semihost(SYS_WRITE0, text);
}

void semi_exit(int code)
{
    uint32_t block[2] = {APPLICATION_EXIT, (uint32_t)code};

    for (;;)
        (void)semihost(SYS_EXIT_EXTENDED, block);
}

int semi_argument(char *text, uint16_t cap)
{
    static char line[LINE];
    uint32_t block[2] = {(uint32_t)line, sizeof line};
    const char *space;
    size_t n;

    if (semihost(SYS_COMMAND_LINE, block) != 0)
        return -1;
    line[sizeof line - 1] = 0;
    space = strchr(line, ' ');
    if (space == NULL)
        return -1;
    n = strlen(space + 1);
    if (n >= cap)
        return -1;
    memcpy(text, space + 1, n + 1);
    return (int)n;
}

int semi_open(const char *path)
{
    uint32_t block[3] = {(uint32_t)path, OPEN_READ_WRITE, strlen(path)};

    return (int)semihost(SYS_OPEN, block);
}

/* Both give the number of bytes that were left out. */
static int transfer(uint32_t number, int file, uint16_t at, uint32_t bytes, uint16_t n)
{
    uint32_t seek[2] = {(uint32_t)file, at};
    uint32_t block[3] = {(uint32_t)file, bytes, n};

    return semihost(SYS_SEEK, seek) == 0 && semihost(number, block) == 0 ? 0 : -1;
}

int semi_read(int file, uint16_t at, void *to, uint16_t n)
{
    return transfer(SYS_READ, file, at, (uint32_t)to, n);
}

int semi_write(int file, uint16_t at, const void *from, uint16_t n)
{
    return transfer(SYS_WRITE, file, at, (uint32_t)from, n);
}
