#include "greenhouse.h"

enum { SAMPLES_A_DAY = 8640, DAY_BEGINS = 1200, MEAN = 195, SCALE = 58 }; /* 19.5 degrees, and 58 * (2160^2 / 2^16) / 2^6 = 6.4 up and down */

static void store16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* A day in 8,640 samples: two parabolas for a sine, warmest in the afternoon, and a little air moving. No sensor, and the same for every run. */
static void sample_temperature(edg_device *dev, uint8_t *entry)
{
    uint32_t n = edg_device_head(dev, GREENHOUSE_TEMPERATURE), at = n + DAY_BEGINS;
    const uint16_t half = SAMPLES_A_DAY / 2;
    uint16_t x;
    int16_t swing, t;

    while (at >= SAMPLES_A_DAY) /* once for each day since boot: less code than a division */
        at -= SAMPLES_A_DAY;
    x = (uint16_t)(at < half ? at : at - half);
    swing = (int16_t)(((uint8_t)((uint32_t)x * (uint16_t)(half - x) >> 16) * SCALE) >> 6);
    t = (int16_t)(at < half ? MEAN + swing : MEAN - swing);

    t = (int16_t)(t + (((uint8_t)n * 5 + (uint8_t)(n >> 2)) >> 1 & 3) - 1);
    store16(entry, (uint16_t)t);
}

static int call_valve(edg_device *dev, const uint8_t *arg, uint8_t n, uint8_t *result)
{
    greenhouse *g = EDG_USER(dev);

    (void)n;
    g->position = arg[0];
    g->count++;
    g->unwritten |= 1u << GREENHOUSE_MOVED;
    GREENHOUSE_ON_VALVE(g);
    result[0] = g->position;
    return 1;
}

static void start(edg_device *dev, uint8_t cause)
{
    greenhouse *g = EDG_USER(dev);

#if !EDG_FIXED_PERIODS
    if (g->period > 0)
        edg_device_set_period(dev, GREENHOUSE_TEMPERATURE, g->period);
#endif
    g->unwritten = (uint8_t)(1u << (cause == EDG_START_CLAIM ? GREENHOUSE_CLAIMED : GREENHOUSE_BOOT));
}

/* Writes what happened: here and not where it happens, as EEPROM takes 3.4 ms a byte and a caller waits for its answer. */
static void poll(edg_device *dev)
{
    greenhouse *g = EDG_USER(dev);
    uint8_t event[4], kind;

    for (kind = GREENHOUSE_BOOT; g->unwritten != 0 && kind <= GREENHOUSE_MOVED; kind++) {
        if (!(g->unwritten & (1u << kind)))
            continue;
        event[0] = kind;
        event[1] = g->position;
        store16(event + 2, kind == GREENHOUSE_MOVED ? g->count : (uint16_t)edg_device_boot(dev));
        if (edg_device_append(dev, GREENHOUSE_EVENT, event) != EDG_OK)
            return;
        g->unwritten &= (uint8_t)~(1u << kind);
    }
}

EDG_TABLES(GREENHOUSE_TABLE, GREENHOUSE_BOARD, "greenhouse/1.0");

#if GREENHOUSE_FIXED
static const char links[] EDG_PGM = EDG_TABLE_LINKS(GREENHOUSE_TABLE, GREENHOUSE_BOARD, "greenhouse/1.0");
const edg_service greenhouse_service EDG_PGM = EDG_TABLE_SERVICE(edg_links_text, links, start, poll);
#else
const edg_service greenhouse_service EDG_PGM = EDG_TABLE_SERVICE(edg_links_made, NULL, start, poll);
#endif
