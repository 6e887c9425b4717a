/* A claimed greenhouse, asked by edg_device_handle what messages.h has recorded: hello, an OPEN with two frames, requests in the session. */
#include "../greenhouse/greenhouse.h"
#include "mark.h"

#include "messages.h"

#include <string.h>

static uint8_t eeprom[sizeof eeprom_0];

static uint32_t ticks(void *ctx)
{
    (void)ctx;
    return TICK;
}

static int load(void *ctx, uint16_t addr, void *dst, uint16_t n)
{
    (void)ctx;
    memcpy(dst, eeprom + addr, n);
    return EDG_OK;
}

static int save(void *ctx, uint16_t addr, const void *src, uint16_t n)
{
    (void)ctx;
    memcpy(eeprom + addr, src, n);
    return EDG_OK;
}

static const edg_platform platform = {0, ticks, load, save};
static edg_device dev;
static greenhouse service;

typedef struct step {
    void (*mark)(void);
    const uint8_t *in, *out;
    size_t in_len, out_len;
} step;

#define STEP(i) {MARK_##i, in_##i, out_##i, sizeof in_##i, sizeof out_##i},
static const step steps[] = {STEPS(STEP)};

int bench_run(void)
{
    static uint8_t in[200], out[128]; /* as on the ATmega328P */
    size_t i;

    memcpy(eeprom, eeprom_0, sizeof eeprom);
    if (edg_device_init(&dev, &platform, &greenhouse_service, &service) != EDG_OK)
        return 1;
    for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t n;

        memcpy(in, steps[i].in, steps[i].in_len);
        steps[i].mark();
        n = edg_device_handle(&dev, in, steps[i].in_len, out, sizeof out, EDG_LINK_LOCAL);
        edg_mark_end();
        if (n != steps[i].out_len || memcmp(out, steps[i].out, n) != 0)
            return 2;
    }
    return 0;
}
