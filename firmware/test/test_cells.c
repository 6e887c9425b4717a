#include "../greenhouse/greenhouse.h"
#include "bench.h"
#include "check.h"

static const uint8_t ke[32] = {1}, hint[4] = {1, 2, 3, 4}, zero[16];
static greenhouse house;

enum { LOG = GREENHOUSE_EVENT };

/* The log as it stands: its entries hang together and end in the head's hash. */
static void check_chain(edg_device *dev)
{
    edg_log_spec spec;
    const edg_log *l = &dev->logs[LOG];
    uint8_t prev[16], payload[4], hash[16];
    uint32_t n;

    edg_log_spec_get(dev, LOG, &spec);
    for (n = l->sequence - l->count + 1; n <= l->sequence; n++) {
        CHECK_EQ(edg_cells_read(dev, LOG, &spec, (uint8_t)(l->sequence - n), prev, payload), EDG_OK);
        if (n > l->sequence - l->count + 1)
            CHECK(memcmp(prev, hash, 16) == 0);
        memcpy(hash, prev, 16);
        edg_log_step(dev, LOG, &spec, (uint8_t)(l->sequence - n), payload, hash);
    }
    CHECK(l->count == 0 || memcmp(hash, l->hash, 16) == 0);
}

static void claimed(bench *b)
{
    bench_init(b);
    bench_owner(b, ke, hint, 1, zero);
    bench_boot(b, 1);
}

static void boot(edg_device *dev, bench *b)
{
    b->power = -1;
    b->read_only = 0;
    CHECK_EQ(edg_device_init(dev, &b->platform, &greenhouse_service, &house), EDG_OK);
    edg_device_poll(dev);
}

/* Cuts the power at every byte of appends, more than round the ring: what was acknowledged is there, and the log hangs together. */
static void cuts(void)
{
    static edg_device dev;
    bench b, before;
    int i, torn;
    long cut;

    claimed(&b);
    boot(&dev, &b);
    for (i = 0; i < 2 * GREENHOUSE_EVENTS + 3; i++) {
        uint8_t entry[4] = {2, (uint8_t)i, 0, 1};
        uint32_t head = dev.logs[LOG].sequence;

        for (torn = -1; torn < 256; torn += 128)
            for (cut = 0; cut < 30; cut++) {
                static edg_device after;
                int err;

                before = b;
                before.platform.ctx = &before;
                after = dev;
                after.platform = &before.platform;
                after.logs[LOG].u.nv.budget = 1;
                before.power = cut;
                before.torn = torn;
                err = edg_device_append(&after, LOG, entry);
                before.power = -1;
                before.read_only = 0;
                CHECK_EQ(edg_logs_init(&after), EDG_OK);
                check_chain(&after);
                CHECK(after.logs[LOG].sequence == head + 1 || (err != EDG_OK && after.logs[LOG].sequence == head));
                CHECK(after.logs[LOG].count >= (head < GREENHOUSE_EVENTS ? head : GREENHOUSE_EVENTS - 1u));
            }
        dev.logs[LOG].u.nv.budget = 1;
        CHECK_EQ(edg_device_append(&dev, LOG, entry), EDG_OK);
        check_chain(&dev);
    }
    CHECK_EQ(dev.logs[LOG].count, GREENHOUSE_EVENTS);
}

/* Memory that keeps what it has, at any bytes of the next cell: an entry that was not stored is not acknowledged, and the log hangs together. */
static void worn(void)
{
    static edg_device dev, after;
    bench b, before;
    unsigned at, n;
    uint32_t head;

    claimed(&b);
    for (n = 0; n < GREENHOUSE_EVENTS + 2; n++) /* round the ring: the next cell has an older entry, which is valid */
        boot(&dev, &b);
    head = dev.logs[LOG].sequence;
    for (at = 0; at < 30; at++)
        for (n = 1; n <= 30 - at; n++) {
            static const uint8_t entry[4] = {2, 9, 8, 7};
            int err;

            before = b;
            before.platform.ctx = &before;
            before.worn_at = EDG_NV_LOGS + 30u * ((dev.logs[LOG].newest + 1u) % GREENHOUSE_EVENTS) + at;
            before.worn = n;
            after = dev;
            after.platform = &before.platform;
            err = edg_device_append(&after, LOG, entry);
            CHECK_EQ(after.logs[LOG].sequence, err == EDG_OK ? head + 1 : head);
            CHECK_EQ(edg_logs_init(&after), EDG_OK);
            CHECK_EQ(after.logs[LOG].sequence, err == EDG_OK ? head + 1 : head);
            check_chain(&after);
        }
}

/* Entries survive boots under their first incarnation; each boot adds its own event. */
static void boots(void)
{
    static edg_device dev;
    bench b;
    uint32_t i, incarnation;
    uint8_t entry[4];

    claimed(&b);
    boot(&dev, &b);
    incarnation = dev.logs[LOG].u.nv.incarnation;
    CHECK_EQ(incarnation, 1);
    for (i = 2; i < 40; i++) {
        boot(&dev, &b);
        CHECK_EQ(dev.logs[LOG].u.nv.incarnation, incarnation);
        CHECK_EQ(dev.logs[LOG].sequence, i);
        check_chain(&dev);
    }
    /* A cell that rots in the middle ends what is kept there; one of another incarnation does not count. */
    b.nv[EDG_NV_LOGS + 30u * ((dev.logs[LOG].newest + GREENHOUSE_EVENTS - 3u) % GREENHOUSE_EVENTS) + 24] ^= 1;
    CHECK_EQ(edg_logs_init(&dev), EDG_OK);
    CHECK_EQ(dev.logs[LOG].count, 3);
    check_chain(&dev);
    b.nv[EDG_NV_LOGS + 30u * dev.logs[LOG].newest + 24] ^= 1; /* nor is it served, if it rots later */
    CHECK_EQ(edg_cells_read(&dev, LOG, &greenhouse_service.logs[LOG], 0, NULL, entry), EDG_ERR_STORAGE);
    b.nv[EDG_NV_LOGS + 30u * dev.logs[LOG].newest + 24] ^= 1;
    /* Factory reset: nothing of it is left, and the next owner's log is another incarnation. */
    CHECK_EQ(edg_device_factory_reset(&dev), EDG_OK);
    CHECK(!edg_device_claimed(&dev));
    for (i = 0; i < 30u * GREENHOUSE_EVENTS; i++)
        CHECK_EQ(b.nv[EDG_NV_LOGS + i], 0xFF);
    CHECK_EQ(edg_device_append(&dev, LOG, zero), EDG_ERR_CLOSED);
}

/* No caller wears the memory out: a burst, then one write per EDG_WEAR_TICKS. */
static void wear(void)
{
    static edg_device dev;
    bench b;
    unsigned long written;
    uint32_t head;
    int i;

    claimed(&b);
    boot(&dev, &b);
    head = dev.logs[LOG].sequence;
    for (i = 0; i < 1000; i++)
        (void)edg_device_append(&dev, LOG, zero);
    CHECK_EQ(dev.logs[LOG].sequence, head + EDG_WEAR_BURST - 1);
    CHECK_EQ(edg_device_append(&dev, LOG, zero), EDG_ERR_WEAR);
    written = b.written;
    head = dev.logs[LOG].sequence;
    for (i = 0; i < 100; i++) {
        b.tick += EDG_WEAR_TICKS / 10;
        (void)edg_device_append(&dev, LOG, zero);
    }
    CHECK_EQ(dev.logs[LOG].sequence, head + 10);
    CHECK(b.written - written <= 10 * 30);
    b.tick += 100 * EDG_WEAR_TICKS; /* a long rest gives the burst back, and no more */
    head = dev.logs[LOG].sequence;
    for (i = 0; i < 100; i++)
        (void)edg_device_append(&dev, LOG, zero);
    CHECK_EQ(dev.logs[LOG].sequence, head + EDG_WEAR_BURST);
}

void test_cells(void)
{
    cuts();
    worn();
    boots();
    wear();
}
