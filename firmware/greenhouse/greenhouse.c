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
    uint32_t n = dev->logs[GREENHOUSE_TEMPERATURE].sequence, at = n + DAY_BEGINS;
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

static const char board[] EDG_PGM = GREENHOUSE_BOARD;
static const char firmware[] EDG_PGM = "greenhouse/1.0";
static const char temperature[] EDG_PGM = "temperature";
static const char events[] EDG_PGM = "events";
static const char valve[] EDG_PGM = "valve";

static const edg_log_spec logs[] EDG_PGM = {
    {temperature, 2, GREENHOUSE_KEEP, 0, GREENHOUSE_PERIOD_TICKS, sample_temperature},
    {events, 4, GREENHOUSE_EVENTS, EDG_LOG_EEPROM | EDG_LOG_POST, 0, NULL},
    {valve, 1, GREENHOUSE_CALLS, EDG_LOG_FUNCTION, 0, NULL},
};

static const edg_function_spec functions[] EDG_PGM = {
    {valve, GREENHOUSE_VALVE, EDG_ARG_U8, 0, 100, call_valve},
};

/* Refused by the compiler if the tables do not fit the core's limits; edg_service_fits says the same at run time. */
typedef char logs_fit[sizeof logs / sizeof logs[0] <= EDG_LOGS ? 1 : -1];
typedef char entries_fit[2 * GREENHOUSE_KEEP + GREENHOUSE_CALLS <= EDG_LOG_STORE ? 1 : -1];
typedef char events_fit[(26 + 4) * GREENHOUSE_EVENTS <= EDG_NV_SIZE - 448 ? 1 : -1];

#if GREENHOUSE_FIXED
#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)
static const char links[] EDG_PGM = "</l/temperature>;rt=\"edg.log\";p=" NUMBER(GREENHOUSE_PERIOD_SECONDS) ";sz=2,</l/events>;rt=\"edg.log\";sz=4,"
                                    "</f/valve>;rt=\"edg.fn\";arg=\"u8:0..100\",</>;rt=\"edg.dev\";bd=\"" GREENHOUSE_BOARD "\";fw=\"greenhouse/1.0\";v=1";
#define LINKS edg_links_text, links
#else
#define LINKS edg_links_made, NULL
#endif

const edg_service greenhouse_service EDG_PGM = {
    board, firmware, logs, functions, sizeof logs / sizeof logs[0], sizeof functions / sizeof functions[0], LINKS, start, poll,
};
