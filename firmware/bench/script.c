/*
 * Writes messages.h on stdout: what a caller and a claimed greenhouse said to each other, recorded on this machine. The images play the caller's
 * part again on their cores and must give the very same answers; so the caller need not run there, and each figure is of a right answer.
 *
 * Linked with --wrap=edg_device_handle, so that every message to the device passes here.
 */
#include <stdio.h>
#include <string.h>

#include "../greenhouse/greenhouse.h"
#include "../test/caller.h"
#include "../test/check.h"
#include "verify.h"

size_t __real_edg_device_handle(edg_device *dev, uint8_t *in, size_t n, uint8_t *out, size_t cap, unsigned link_flags);
size_t __wrap_edg_device_handle(edg_device *dev, uint8_t *in, size_t n, uint8_t *out, size_t cap, unsigned link_flags);
void edg_mark_verdict(void);

unsigned long check_failures, check_count;

static const uint8_t ke[32] = {0x4b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
static const uint8_t hint[4] = {0x11, 0x22, 0x33, 0x44};
/* The owner's empty frame, then a salt and "call valve": what a slot keeps. */
static const uint8_t two_frames[] = {0, 12, 0x4c, 1, 2, 3, 4, 0x0e, 8, 'v', 'a', 'l', 'v', 'e'};

static const char *label; /* of the next message: a mark, or none */
static unsigned steps;

void edg_mark_verdict(void) {}

static void print(const char *name, unsigned i, const uint8_t *bytes, size_t n)
{
    printf("static const uint8_t %s%u[] EDG_PGM = {", name, i);
    for (size_t k = 0; k < n; k++) {
        printf("%u,", bytes[k]);
    }
    puts("};");
}

size_t __wrap_edg_device_handle(edg_device *dev, uint8_t *in, size_t n, uint8_t *out, size_t cap, unsigned link_flags)
{
    size_t len = __real_edg_device_handle(dev, in, n, out, cap, link_flags);

    print("in_", steps, in, n);
    print("out_", steps, out, len);
    printf("#define MARK_%u %s\n", steps, n > 6 && memcmp(in + 6, "\xb1h", 2) == 0 ? "edg_mark_hello" : label);
    steps++;
    return len;
}

/* A capability as carried, and a request in the form of a session's, the tag under the capability's own key. */
static void stateless(caller *c)
{
    uint8_t percent = 20, sum[32];
    edg_device *desk = &c->desk;
    edg_pads branch;
    edg_sha256 sha;
    edg_request r;

    c->slot = 0xFF;
    caller_call(c, EDG_POST, "/f/valve", NULL, &percent, 1); /* refused by a device: there is no such slot */
    CHECK_EQ(caller_reason(c), EDG_R_NO_SESSION);
    bench_branch_key(desk, ke, c->carried, &branch);
    CHECK_EQ(edg_coap_parse(&r.m, c->in, (uint16_t)c->in_len), EDG_OK);
    CHECK_EQ(edg_request_read(&r), 0);
    r.carried = c->carried;
    r.carried_len = c->carried_len;
    bench_tag(desk, &branch, &r);
    memcpy(c->in + (r.tag - c->in), edg_digest(desk), 8);
    print("epoch_key_", 0, ke, sizeof ke);
    print("carried_", 0, c->carried, c->carried_len);
    print("stateless_", 0, c->in, c->in_len);
    edg_hmac_init(&sha, c->in, 16);
    edg_sha256_update(&sha, c->in, 32);
    edg_hmac_final(&sha, c->in, 16, sum);
    print("hmac_", 0, sum, sizeof sum);
}

int main(void)
{
    static const uint8_t generations[16];
    static bench b;
    static greenhouse g;
    static edg_device dev;
    static caller c;
    uint8_t percent = 20;

    puts("/* Made by bench/script.c. */");
    bench_init(&b);
    bench_owner(&b, ke, hint, 1, generations);
    bench_boot(&b, 7);
    print("eeprom_", 0, b.nv, sizeof b.nv);
    b.tick = 1000;
    printf("#define TICK %uu\n", (unsigned)b.tick);
    CHECK_EQ(edg_device_init(&dev, &b.platform, &greenhouse_service, &g), EDG_OK);
    caller_init(&c, &dev, &b, ke, hint, 1, 0, two_frames, sizeof two_frames);
    label = "edg_mark_open2";
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK(c.tagged);
    label = "edg_mark_session_request";
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
        CHECK_EQ(c.code, EDG_CHANGED);
        CHECK(c.tagged);
    }
    printf("#define STEPS(X) ");
    for (unsigned i = 0; i < steps; i++) {
        printf("X(%u) ", i);
    }
    puts("");
    label = "edg_mark_end";
    stateless(&c);
    return check_failures > 0;
}
