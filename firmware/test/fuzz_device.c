/* The whole device under random messages. libFuzzer's entry, and with -DFUZZ_MAIN a program of its own that mutates good messages:
 *
 *     fuzz-device RUNS SEED
 *
 * An input is a row of records `u8 kind | u8 time | u16 length | bytes`: a message with that many ticks before it, taken as it is or made of
 * one that a real caller would send (its proof then verifies), or one over the serial line. After every input the device must still serve its owner. */

#include "../greenhouse/greenhouse.h"
#include "caller.h"
#include "check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

unsigned long check_failures, check_count;

static const uint8_t ke[32] = {7}, hint[4] = {1, 2, 3, 4}, zero[16], no_frames[1];

static edg_device dev;
static greenhouse house;
static bench board;
static caller owner, guest;
static unsigned long moves;

static void moved(void *ctx, uint8_t percent, uint16_t count)
{
    (void)ctx;
    (void)count;
    moves++;
    if (percent > 100)
        abort();
}

static void boot(void)
{
    bench_init(&board);
    bench_owner(&board, ke, hint, 1, zero);
    bench_boot(&board, 3);
    memset(&house, 0, sizeof house);
    house.on_valve = moved;
    if (edg_device_init(&dev, &board.platform, &greenhouse_service, &house) != EDG_OK)
        abort();
    caller_init(&owner, &dev, &board, ke, hint, 0, 0, no_frames, 1);
    caller_init(&guest, &dev, &board, ke, hint, 3, 0, no_frames, 1);
}

static void message(const uint8_t *p, size_t n, unsigned link)
{
    static uint8_t out[160];
    uint8_t *exact = malloc(n + 1); /* so that the sanitizer sees a byte read too far */
    size_t len;
    edg_coap m;

    if (exact == NULL)
        abort();
    memcpy(exact + 1, p, n);
    len = edg_device_handle(&dev, exact + 1, n, out, sizeof out, link);
    free(exact);
    if (len > sizeof out || (len > 0 && edg_coap_parse(&m, out, (edg_len)len) != EDG_OK))
        abort();
}

/* Who holds a good session sends what the input says: the parts behind the tag. */
static void inside(const uint8_t *p, size_t n)
{
    static const char *paths[] = {"/l/temperature", "/l/events", "/f/valve", "/l/valve", "/t", "/g", "/x", "/f/none"};
    char query[40];
    size_t q;
    caller *c;

    if (n < 2)
        return;
    c = p[0] & 1 ? &guest : &owner;
    q = p[1] % 24;
    if (q > n - 2)
        q = n - 2;
    memcpy(query, p + 2, q);
    query[q] = 0;
    if (memchr(query, 0, q) != NULL)
        query[0] = 0;
    (void)caller_call(c, (uint8_t)(1 + (p[0] >> 1) % 5), paths[(p[0] >> 4) & 7], query, p + 2 + q, n - 2 - q < 64 ? n - 2 - q : 64);
}

static void line(const uint8_t *p, size_t n)
{
    static uint8_t buf[258];
    edg_slip s;

    edg_slip_init(&s, buf, sizeof buf);
    for (; n > 0; n--) {
        uint16_t len = edg_slip_push(&s, *p++);

        if (len > 256)
            abort();
        if (len > 0)
            message(buf, len, EDG_LINK_LOCAL | EDG_LINK_CLAIM);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    boot();
    (void)caller_open(&guest, EDG_GET, "/l/temperature", NULL, NULL, 0);
    (void)caller_open(&owner, EDG_GET, "/l/temperature", NULL, NULL, 0);
    while (size >= 4) {
        size_t n = edg_load16(data + 2);
        uint8_t kind = data[0], ticks = data[1];

        data += 4;
        size -= 4;
        if (n > size)
            n = size;
        board.tick += ticks;
        edg_device_poll(&dev);
        if ((kind & 3) == 0)
            inside(data, n);
        else if ((kind & 3) == 1)
            line(data, n);
        else
            message(data, n, kind >> 6);
        data += n;
        size -= n;
    }
    /* Whatever came: a second later the owner is served. Only a bump of its own branch may have ended that capability. */
    board.tick += 200;
    owner.carried[7] = (uint8_t)edg_owner_generation(&dev, 0);
    if (caller_open(&owner, EDG_GET, "/l/events", NULL, NULL, 0) != 0 || owner.code != EDG_CONTENT || !owner.tagged || check_failures > 0)
        abort();
    return 0;
}

#ifdef FUZZ_MAIN

static uint32_t state;

static uint32_t next(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* Good messages, recorded from a caller: the seeds of the mutations. */
static struct {
    uint8_t bytes[300];
    size_t n;
} seeds[16];
static size_t seed_count;

static void keep(const caller *c)
{
    if (seed_count == sizeof seeds / sizeof seeds[0] || c->in_len > sizeof seeds[0].bytes)
        return;
    memcpy(seeds[seed_count].bytes, c->in, c->in_len);
    seeds[seed_count++].n = c->in_len;
}

static void record(void)
{
    static const uint8_t percent = 20, hello[20] = {0, 0, 0, 0, 0, 0, 0, 0, 0x10}, claim[33] = {1};

    boot();
    (void)caller_plain(&owner, EDG_GET, "/.well-known/core", NULL, NULL, 0);
    keep(&owner);
    (void)caller_plain(&owner, EDG_POST, "/h", NULL, hello, sizeof hello);
    keep(&owner);
    (void)caller_plain(&owner, EDG_POST, "/k", NULL, claim, sizeof claim);
    keep(&owner);
    (void)caller_open(&guest, EDG_POST, "/f/valve", NULL, &percent, 1);
    keep(&guest);
    (void)caller_call(&guest, EDG_POST, "/f/valve", NULL, &percent, 1);
    keep(&guest);
    (void)caller_call(&guest, EDG_GET, "/l/temperature", "s=1&n=3", NULL, 0);
    keep(&guest);
    guest.send_frames = 1;
    (void)caller_call(&guest, EDG_GET, "/l/events", "a=3.0&n=3", NULL, 0);
    keep(&guest);
}

static size_t mutate(uint8_t *p, size_t n, size_t cap)
{
    unsigned times = next() % 6;

    for (; times > 0; times--) {
        size_t at = n > 0 ? next() % n : 0;

        switch (next() % 6) {
        case 0:
            if (n > 0)
                p[at] ^= (uint8_t)(1u << (next() & 7));
            break;
        case 1:
            if (n > 0)
                p[at] = (uint8_t)next();
            break;
        case 2: /* shorter */
            n = at;
            break;
        case 3: /* a byte in */
            if (n < cap) {
                memmove(p + at + 1, p + at, n - at);
                p[at] = (uint8_t)next();
                n++;
            }
            break;
        case 4: /* a byte out */
            if (n > 0) {
                memmove(p + at, p + at + 1, n - at - 1);
                n--;
            }
            break;
        default: /* a part of another one behind it */
            if (seed_count > 0) {
                size_t other = next() % seed_count, from = next() % seeds[other].n, m = seeds[other].n - from;

                if (m > cap - n)
                    m = cap - n;
                memcpy(p + n, seeds[other].bytes + from, m);
                n += m;
            }
        }
    }
    return n;
}

static void put(void *ctx, uint8_t byte)
{
    uint8_t **p = ctx;

    *(*p)++ = byte;
}

static size_t make(uint8_t *input, size_t cap)
{
    size_t at = 0;
    unsigned records = 1 + next() % 12;

    for (; records > 0 && cap - at > 1400; records--) {
        uint8_t *head = input + at;
        size_t n;

        head[0] = (uint8_t)next();
        head[1] = (uint8_t)(next() % 4 ? next() % 8 : next());
        at += 4;
        if ((head[0] & 3) == 0) {
            n = next() % 40;
            while (n > 0 && at < cap) {
                input[at++] = next() % 3 ? (uint8_t)"sna=.&0123456789"[next() % 16] : (uint8_t)next();
                n--;
            }
        } else if (next() % 16 == 0) {
            n = next() % 300;
            while (n-- > 0)
                input[at++] = (uint8_t)next();
        } else {
            uint8_t m[600];
            size_t s = next() % seed_count;

            memcpy(m, seeds[s].bytes, seeds[s].n);
            n = mutate(m, seeds[s].n, sizeof m - 300);
            if ((head[0] & 3) == 1) {
                uint8_t *end = input + at;

                edg_slip_send(put, &end, m, (uint16_t)n);
                at = (size_t)(end - input);
            } else {
                memcpy(input + at, m, n);
                at += n;
            }
        }
        edg_store16(head + 2, (uint16_t)(input + at - head - 4));
    }
    return at;
}

int main(int argc, char **argv)
{
    static uint8_t input[20000];
    unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000, i;

    state = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1;
    if (state == 0)
        state = 1;
    record();
    for (i = 0; i < runs; i++)
        (void)LLVMFuzzerTestOneInput(input, make(input, sizeof input));
    printf("fuzz: %lu runs, %lu moves of the valve\n", runs, moves);
    return 0;
}

#endif
