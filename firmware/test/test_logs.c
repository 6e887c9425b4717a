#include "../greenhouse/greenhouse.h"
#include "caller.h"
#include "check.h"

static const uint8_t ke[32] = {7}, hint[4] = {1, 2, 3, 4}, zero[16], no_frames[1];

static edg_device dev;
static greenhouse house;
static bench board;
static caller c;

/* What a mirror knows of a log: every hash so far. */
typedef struct mirror {
    uint8_t hash[200][16];
    uint32_t sequence;
} mirror;

static void sample(unsigned n)
{
    for (; n > 0; n--) {
        board.tick += GREENHOUSE_PERIOD_TICKS;
        edg_device_poll(&dev);
    }
}

static int range(const char *log, const char *query)
{
    c.tick = board.tick;
    return caller_call(&c, EDG_GET, log, query, NULL, 0);
}

static uint32_t first_of(void) { return edg_load32(c.answer.payload + 4); }

/* Takes the answer's entries as a mirror does, and checks that they follow from its hash before them. Returns how many came. */
static unsigned take(mirror *m, uint8_t log)
{
    edg_log_spec spec;
    uint32_t next = first_of();
    const uint8_t *p = c.answer.payload + 24, *end = c.answer.payload + c.answer.payload_len;
    unsigned n = 0;
    uint8_t hash[16];

    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK(c.answer.payload_len >= 24);
    edg_log_spec_get(&dev, log, &spec);
    if (next <= m->sequence + 1)
        CHECK(memcmp(m->hash[next - 1], c.answer.payload + 8, 16) == 0);
    memcpy(hash, c.answer.payload + 8, 16);
    for (; p < end; p += 2 + spec.size, next++, n++) {
        CHECK_EQ(edg_load16(p), spec.size);
        if (spec.flags & EDG_LOG_EEPROM)
            c.desk.logs[log].u.nv.incarnation = edg_load32(c.answer.payload);
        else
            c.desk.boot = edg_load32(c.answer.payload);
        c.desk.logs[log].sequence = next;
        edg_log_step(&c.desk, log, &spec, 0, p + 2, hash);
        memcpy(m->hash[next], hash, 16);
        m->sequence = next;
    }
    return n;
}

static void temperatures(void)
{
    static mirror m;
    uint8_t head[28];
    char query[40];
    uint32_t i;

    memset(&m, 0, sizeof m);
    memcpy(c.desk.owner, hint, 4);
    CHECK_EQ(range("/l/temperature", NULL), 0);
    CHECK_EQ(c.answer.payload_len, 28);
    CHECK_EQ(edg_load32(c.answer.payload), edg_device_boot(&dev));
    CHECK_EQ(edg_load32(c.answer.payload + 4), 0);
    CHECK_EQ(edg_load32(c.answer.payload + 8), 1);
    CHECK(memcmp(c.answer.payload + 12, zero, 16) == 0);
    CHECK_EQ(range("/l/temperature", "s=1"), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_KEPT);
    CHECK(c.tagged);
    CHECK_EQ(range("/l/temperature", "a=3.0"), 0); /* nothing yet: the next one, and the head's hash */
    CHECK_EQ(take(&m, GREENHOUSE_TEMPERATURE), 0);
    CHECK_EQ(first_of(), 1);

    /* Follow the log for three times its capacity, a few entries at a time: no gap, every hash fits. */
    for (i = 0; i < 40; i++) {
        sample(i % 5);
        (void)snprintf(query, sizeof query, "a=3.%lu&n=%lu", (unsigned long)m.sequence, 1ul + i % 3);
        CHECK_EQ(range("/l/temperature", query), 0);
        CHECK_EQ(first_of(), m.sequence + 1);
        (void)take(&m, GREENHOUSE_TEMPERATURE);
    }
    (void)snprintf(query, sizeof query, "a=3.%lu", (unsigned long)m.sequence);
    CHECK_EQ(range("/l/temperature", query), 0);
    (void)take(&m, GREENHOUSE_TEMPERATURE);
    CHECK_EQ(m.sequence, dev.logs[GREENHOUSE_TEMPERATURE].sequence);
    CHECK(memcmp(m.hash[m.sequence], dev.logs[GREENHOUSE_TEMPERATURE].hash, 16) == 0);

    /* Any range from any place, whatever was asked before. */
    for (i = m.sequence - GREENHOUSE_KEEP + 1; i <= m.sequence; i += 3) {
        (void)snprintf(query, sizeof query, "s=%lu&n=4", (unsigned long)i);
        CHECK_EQ(range("/l/temperature", query), 0);
        CHECK_EQ(first_of(), i);
        CHECK(take(&m, GREENHOUSE_TEMPERATURE) == 4 || i + 4 > m.sequence + 1);
    }
    m.sequence = dev.logs[GREENHOUSE_TEMPERATURE].sequence;
    (void)snprintf(query, sizeof query, "s=%lu", (unsigned long)(m.sequence - GREENHOUSE_KEEP));
    CHECK_EQ(range("/l/temperature", query), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_KEPT);
    (void)snprintf(query, sizeof query, "s=%lu", (unsigned long)(m.sequence + 1));
    CHECK_EQ(range("/l/temperature", query), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_KEPT);
    (void)snprintf(query, sizeof query, "s=%lu&i=2", (unsigned long)m.sequence);
    CHECK_EQ(range("/l/temperature", query), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_KEPT);
    (void)snprintf(query, sizeof query, "s=%lu&i=3", (unsigned long)m.sequence);
    CHECK_EQ(range("/l/temperature", query), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
    /* Overwritten before it was read: the first kept, a visible gap. */
    CHECK_EQ(range("/l/temperature", "a=3.1"), 0);
    CHECK_EQ(first_of(), m.sequence - GREENHOUSE_KEEP + 1);
    /* A place of an older incarnation; of one that has not been; beyond the head. */
    CHECK_EQ(range("/l/temperature", "a=2.7"), 0);
    CHECK_EQ(first_of(), m.sequence - GREENHOUSE_KEEP + 1);
    CHECK_EQ(range("/l/temperature", "a=4.0"), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_KEPT);
    CHECK_EQ(range("/l/temperature", "a=3.4294967295"), 0);
    CHECK_EQ(first_of(), m.sequence + 1);
    CHECK_EQ(c.answer.payload_len, 24);

    /* As many as fit, to the byte. */
    (void)snprintf(query, sizeof query, "s=%lu", (unsigned long)(m.sequence - GREENHOUSE_KEEP + 1));
    for (c.out_cap = EDG_OUT_MIN; c.out_cap < 170; c.out_cap++) {
        CHECK_EQ(range("/l/temperature", query), 0);
        CHECK_EQ(c.code, EDG_CONTENT);
        CHECK(c.out_len <= c.out_cap && c.out_len + 4 > c.out_cap);
    }
    c.out_cap = 160;
    CHECK_EQ(range("/l/temperature", NULL), 0);
    memcpy(head, c.answer.payload, 28);
    CHECK(memcmp(head + 12, m.hash[m.sequence], 16) == 0);

    /* A log that grows by itself is not written from outside. */
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/temperature", NULL, zero, 2), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_METHOD);
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/valve", NULL, zero, 1), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_METHOD);
    CHECK_EQ(house.count, 0);
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/nothing", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_FOUND);
}

static void events(void)
{
    static mirror m;
    uint32_t i;

    memset(&m, 0, sizeof m);
    edg_device_poll(&dev);
    CHECK_EQ(range("/l/events", "a=3.0"), 0);
    CHECK_EQ(take(&m, GREENHOUSE_EVENT), 1); /* the boot */
    CHECK_EQ(c.answer.payload[26], GREENHOUSE_BOOT);
    for (i = 0; i < 10; i++) {
        uint8_t percent = (uint8_t)(10 * i);

        CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
        CHECK_EQ(c.code, EDG_CHANGED);
        edg_device_poll(&dev);
    }
    CHECK_EQ(range("/l/events", "a=3.1"), 0);
    CHECK_EQ(take(&m, GREENHOUSE_EVENT), 10);
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/events", NULL, (const uint8_t *)"note", 4), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(edg_load32(c.answer.payload), 3);
    CHECK_EQ(edg_load32(c.answer.payload + 4), 12);
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/events", NULL, (const uint8_t *)"not", 3), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_ARGUMENT);
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/events", NULL, (const uint8_t *)"notes", 5), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_TOO_LARGE);
    /* The budget ends: appends are told so, calls still run, and the last move is written when it can be. */
    for (i = 0; i < 10; i++) {
        uint8_t percent = (uint8_t)(10 * i);

        CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
        CHECK_EQ(c.code, EDG_CHANGED);
        edg_device_poll(&dev);
    }
    CHECK_EQ(house.count, 20);
    CHECK(house.unwritten);
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/events", NULL, (const uint8_t *)"note", 4), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_WEAR);
    CHECK_EQ(c.code, 0xA3);
    CHECK(c.tagged);
    CHECK(house.unwritten);
    board.tick += EDG_WEAR_TICKS;
    edg_device_poll(&dev);
    CHECK(!house.unwritten);
    CHECK_EQ(range("/l/events", "a=3.11"), 0);
    (void)take(&m, GREENHOUSE_EVENT);
    CHECK_EQ(c.answer.payload[c.answer.payload_len - 3], 90);
    CHECK_EQ(c.answer.payload[c.answer.payload_len - 1], 20);
    /* The calls themselves are a log too, readable under the function's name. */
    CHECK_EQ(range("/l/valve", NULL), 0);
    CHECK_EQ(edg_load32(c.answer.payload + 4), 20);
    CHECK_EQ(range("/l/valve", "a=3.0"), 0);
    CHECK_EQ(first_of(), 17);
    /* After a boot the events go on where they were. */
    CHECK_EQ(edg_device_init(&dev, &board.platform, &greenhouse_service, &house), EDG_OK);
    CHECK_EQ(edg_device_boot(&dev), 4);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", "a=3.12", NULL, 0), 0);
    (void)take(&m, GREENHOUSE_EVENT);
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/temperature", "a=3.50", NULL, 0), 0);
    CHECK_EQ(edg_load32(c.answer.payload), 4);
    CHECK_EQ(first_of(), 1);
}

/* Samples keep their pace, and are not made up for after a long pause. */
static void pace(void)
{
    uint32_t head = dev.logs[GREENHOUSE_TEMPERATURE].sequence;

    board.tick += GREENHOUSE_PERIOD_TICKS - 1;
    edg_device_poll(&dev);
    board.tick += 1;
    edg_device_poll(&dev);
    edg_device_poll(&dev);
    CHECK_EQ(dev.logs[GREENHOUSE_TEMPERATURE].sequence, head + 1);
    board.tick += 1000 * GREENHOUSE_PERIOD_TICKS;
    edg_device_poll(&dev);
    edg_device_poll(&dev);
    CHECK_EQ(dev.logs[GREENHOUSE_TEMPERATURE].sequence, head + 2);
    edg_device_set_period(&dev, GREENHOUSE_TEMPERATURE, 10);
    board.tick += 10;
    edg_device_poll(&dev);
    board.tick += 10;
    edg_device_poll(&dev);
    CHECK_EQ(dev.logs[GREENHOUSE_TEMPERATURE].sequence, head + 4);
}

void test_logs(void)
{
    bench_init(&board);
    bench_owner(&board, ke, hint, 1, zero);
    bench_boot(&board, 3);
    memset(&house, 0, sizeof house);
    CHECK_EQ(edg_device_init(&dev, &board.platform, &greenhouse_service, &house), EDG_OK);
    caller_init(&c, &dev, &board, ke, hint, 0, 0, no_frames, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    temperatures();
    events();
    pace();
}
