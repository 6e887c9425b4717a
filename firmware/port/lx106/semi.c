/* Tensilica's simulator calls: number in a2, arguments in a3 to a5, result in a2. */
#include "../net/semi.h"

#include <string.h>

enum { SYS_EXIT = 1, SYS_READ = 3, SYS_WRITE = 4, SYS_OPEN = 5, SYS_SEEK = 19, SYS_ARGC = 1000, SYS_ARGV_SIZE = 1001, SYS_ARGV = 1002 };
enum { OPEN_READ_WRITE = 2, SEEK_START = 0, OUTPUT = 1, ARGV = 512 };

static int32_t simcall(int32_t number, uint32_t first, uint32_t second, uint32_t third)
{
    register int32_t a2 __asm__("a2") = number;
    register uint32_t a3 __asm__("a3") = first;
    register uint32_t a4 __asm__("a4") = second;
    register uint32_t a5 __asm__("a5") = third;

    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
    return a2;
}

void semi_print(const char *text)
{
    (void)simcall(SYS_WRITE, OUTPUT, (uint32_t)text, strlen(text));
}

void semi_exit(int code)
{
    for (;;)
        (void)simcall(SYS_EXIT, (uint32_t)code, 0, 0);
}

/* The emulator lays out an array of pointers and then the strings they point to. */
int semi_argument(char *text, uint16_t cap)
{
    static union {
        char *argv[ARGV / sizeof(char *)];
        char bytes[ARGV];
    } all;
    size_t n;

    if (simcall(SYS_ARGC, 0, 0, 0) < 2 || simcall(SYS_ARGV_SIZE, 0, 0, 0) > (int32_t)sizeof all)
        return -1;
    (void)simcall(SYS_ARGV, (uint32_t)&all, 0, 0);
    n = strlen(all.argv[1]);
    if (n >= cap)
        return -1;
    memcpy(text, all.argv[1], n + 1);
    return (int)n;
}

int semi_open(const char *path)
{
    int32_t file = simcall(SYS_OPEN, (uint32_t)path, OPEN_READ_WRITE, 0);

    return file >= 0 ? (int)file : -1;
}

int semi_read(int file, uint16_t at, void *to, uint16_t n)
{
    if (simcall(SYS_SEEK, (uint32_t)file, at, SEEK_START) != at)
        return -1;
    return simcall(SYS_READ, (uint32_t)file, (uint32_t)to, n) == n ? 0 : -1;
}

int semi_write(int file, uint16_t at, const void *from, uint16_t n)
{
    if (simcall(SYS_SEEK, (uint32_t)file, at, SEEK_START) != at)
        return -1;
    return simcall(SYS_WRITE, (uint32_t)file, (uint32_t)from, n) == n ? 0 : -1;
}
