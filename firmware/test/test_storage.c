#include "../greenhouse/greenhouse.h"
#include "bench.h"
#include "check.h"

/* What power loss at every single byte leaves: boot counter, claim record, high-water mark. */

static const uint8_t ke[32] = {1, 2, 3}, hint[4] = {9, 8, 7, 6}, zero[16];

static uint32_t boot_of(bench *b)
{
    static edg_device dev;
    static greenhouse house;

    b->read_only = 0;
    b->power = -1;
    CHECK_EQ(edg_device_init(&dev, &b->platform, &greenhouse_service, &house), EDG_OK);
    return dev.flags & EDG_BOOT_LOST ? 0 : edg_device_boot(&dev);
}

static void boots(void)
{
    static edg_device dev;
    static greenhouse house;
    bench b, before;
    uint32_t last = 0, i;
    int torn;

    bench_init(&b);
    for (i = 1; i <= 40; i++)
        CHECK_EQ(boot_of(&b), i);
    bench_boot(&b, 0xFFFF); /* so that carries go through all bytes of the counter */
    for (i = 0; i < 40; i++) {
        long cut;

        for (torn = -1; torn < 256; torn += 51)
            for (cut = 0; cut < EDG_COUNTER_CELL; cut++) {
                uint32_t next;

                before = b;
                b.power = cut;
                b.torn = torn;
                (void)edg_device_init(&dev, &b.platform, &greenhouse_service, &house);
                next = boot_of(&b);
                CHECK(next > last); /* never an earlier or the same one again */
                b = before;
            }
        last = boot_of(&b);
    }
    /* A claimed device whose counter is gone refuses instead of starting over; bit rot in one slot is survived. */
    bench_owner(&b, ke, hint, 1, zero);
    b.nv[EDG_NV_BOOT + 1] ^= 4;
    CHECK(boot_of(&b) > last);
    memset(b.nv + EDG_NV_BOOT, 0xFF, EDG_BOOT_SLOTS * EDG_COUNTER_CELL);
    CHECK_EQ(boot_of(&b), 0);
    memset(b.nv + EDG_NV_BOOT, 0, EDG_BOOT_SLOTS * EDG_COUNTER_CELL);
    CHECK_EQ(boot_of(&b), 0);
    /* So does one whose counter is at its end, or cannot be written. */
    bench_boot(&b, 0xFFFFFFFFUL);
    CHECK_EQ(boot_of(&b), 0xFFFFFFFFUL);
    CHECK_EQ(boot_of(&b), 0);
    bench_init(&b);
    bench_owner(&b, ke, hint, 1, zero);
    bench_boot(&b, 5);
    b.read_only = 1;
    CHECK_EQ(edg_device_init(&dev, &b.platform, &greenhouse_service, &house), EDG_OK);
    CHECK(dev.flags & EDG_BOOT_LOST);
}

static void load(edg_device *dev, bench *b)
{
    b->read_only = 0;
    b->power = -1;
    memset(dev, 0, sizeof *dev);
    dev->platform = &b->platform;
    CHECK_EQ(edg_owner_load(dev), EDG_OK);
}

/* A claim cut off anywhere leaves this owner or none; a generation bump the old record or the new one. */
static void records(void)
{
    static edg_device dev;
    bench b;
    long cut;
    int torn;

    for (torn = -1; torn < 256; torn += 85)
        for (cut = 0; cut < 140; cut++) {
            uint8_t key[32];
            int err;

            bench_init(&b);
            load(&dev, &b);
            CHECK(!edg_device_claimed(&dev));
            b.power = cut;
            b.torn = torn;
            err = edg_owner_write(&dev, hint, 1, ke);
            load(&dev, &b);
            CHECK(err != EDG_OK || edg_device_claimed(&dev));
            if (edg_device_claimed(&dev)) {
                CHECK_EQ(edg_owner_key(&dev, key), EDG_OK);
                CHECK(memcmp(key, ke, sizeof ke) == 0 && memcmp(dev.owner, hint, sizeof hint) == 0 && edg_load16(dev.owner + EDG_HINT) == 1);
                CHECK_EQ(edg_owner_generation(&dev, 15), 0);
            }
        }
    for (torn = -1; torn < 256; torn += 85)
        for (cut = 0; cut < 140; cut++) {
            int err;

            bench_init(&b);
            bench_owner(&b, ke, hint, 1, zero);
            load(&dev, &b);
            CHECK_EQ(edg_owner_set_generation(&dev, 3, 1), EDG_OK);
            b.power = cut;
            b.torn = torn;
            err = edg_owner_set_generation(&dev, 3, 2);
            load(&dev, &b);
            CHECK(edg_device_claimed(&dev));
            CHECK(edg_owner_generation(&dev, 3) == 2 || (err != EDG_OK && edg_owner_generation(&dev, 3) == 1));
            CHECK_EQ(edg_owner_generation(&dev, 4), 0);
        }
    CHECK_EQ(edg_owner_set_generation(&dev, 16, 1), EDG_ERR_ARGUMENT); /* the key stands behind them */
}

static edg_device dev;

static uint8_t set_clock(uint8_t enable_days, uint32_t unix_seconds, uint32_t now)
{
    dev.now = now;
    return edg_clock_set(&dev, enable_days, unix_seconds);
}

/* The mark follows the clock in steps of an hour: a second less leaves it, the hour itself moves it. */
static void clock_steps(void)
{
    bench b;
    uint32_t mark;

    bench_init(&b);
    bench_owner(&b, ke, hint, 1, zero);
    load(&dev, &b);
    CHECK_EQ(set_clock(1, 1700000000UL, 100), 0);
    CHECK_EQ(set_clock(0, 1700000000UL + 3599, 100), 0);
    CHECK_EQ(edg_counter_read(&dev, EDG_NV_CLOCK, EDG_CLOCK_SLOTS, &mark), 1);
    CHECK_EQ(mark, 1700000000UL);
    CHECK_EQ(set_clock(0, 1700000000UL + 3600, 100), 0);
    CHECK_EQ(edg_counter_read(&dev, EDG_NV_CLOCK, EDG_CLOCK_SLOTS, &mark), 1);
    CHECK_EQ(mark, 1700000000UL + 3600);
}

static void clocks(void)
{
    bench b;
    long cut;

    bench_init(&b);
    bench_owner(&b, ke, hint, 1, zero);
    load(&dev, &b);
    CHECK_EQ(edg_clock_at(&dev, 0), 0);
    CHECK_EQ(set_clock(0, 1700000000UL, 100), EDG_R_TIME); /* the first one is the owner's */
    CHECK_EQ(set_clock(1, 1700000000UL, 100), 0);
    CHECK_EQ(edg_clock_at(&dev, 100), 1700000000UL);
    CHECK_EQ(edg_clock_at(&dev, 119), 1700000001UL);
    CHECK_EQ(set_clock(0, 1700000000UL, 119), 0); /* a second back: accepted, ignored */
    CHECK_EQ(edg_clock_at(&dev, 119), 1700000001UL);
    CHECK_EQ(set_clock(0, 1699999998UL, 119), EDG_R_TIME);
    CHECK_EQ(set_clock(0, 0, 119), EDG_R_TIME);
    CHECK_EQ(set_clock(0, 1700000001UL + 86401UL, 119), EDG_R_TIME);
    CHECK_EQ(set_clock(0, 1700000001UL + 86400UL, 119), 0);
    CHECK_EQ(set_clock(1, 1800000000UL, 119), 0);
    /* After a boot the mark bounds it below, the owner alone above. */
    load(&dev, &b);
    CHECK_EQ(set_clock(1, 1799999000UL, 5), EDG_R_TIME);
    CHECK_EQ(edg_clock_at(&dev, 5), 0);
    CHECK_EQ(set_clock(0, 1800000000UL + 86401UL, 5), EDG_R_TIME);
    CHECK_EQ(set_clock(0, 1799999999UL, 5), 0);
    CHECK_EQ(edg_clock_at(&dev, 5), 1800000000UL);
    /* Power loss while the mark is written: the old mark or the new one, and no time without it. */
    for (cut = 0; cut < EDG_COUNTER_CELL; cut++) {
        bench c = b;

        c.platform.ctx = &c;
        load(&dev, &c);
        CHECK_EQ(set_clock(1, 1800000000UL, 5), 0);
        c.power = cut;
        CHECK_EQ(set_clock(1, 1900000000UL, 5), EDG_R_STORAGE);
        CHECK_EQ(edg_clock_at(&dev, 5), 1800000000UL);
        load(&dev, &c);
        CHECK_EQ(set_clock(1, 1799999000UL, 5), EDG_R_TIME);
        CHECK_EQ(set_clock(1, 1800000010UL, 5), 0);
    }
    /* The end of time does not wrap. */
    load(&dev, &b);
    CHECK_EQ(set_clock(1, 0xFFFFFFFEUL, 5), 0);
    CHECK_EQ(edg_clock_at(&dev, 1005), 0xFFFFFFFFUL);
}

/* The owner sets the clock back: the mark follows, whatever is lost on the way, and never below the time that was given. */
static void clock_back(void)
{
    bench b;
    long cut;
    unsigned i;

    bench_init(&b);
    bench_owner(&b, ke, hint, 1, zero);
    load(&dev, &b);
    for (i = 0; i < EDG_CLOCK_SLOTS + 3; i++) /* every slot holds a mark from ahead */
        CHECK_EQ(set_clock(1, 1900000000UL + 3600 * i, 5), 0);
    for (cut = 0; cut < (long)EDG_CLOCK_SLOTS * EDG_COUNTER_CELL; cut++) {
        bench c = b;

        c.platform.ctx = &c;
        load(&dev, &c);
        c.power = cut;
        CHECK_EQ(edg_clock_set_back(&dev, 1700000000UL), EDG_R_STORAGE);
        load(&dev, &c);
        CHECK_EQ(edg_clock_at(&dev, 5), 0);
        CHECK_EQ(set_clock(1, 1699999997UL, 5), EDG_R_TIME);
        CHECK_EQ(edg_clock_set_back(&dev, 1700000000UL), 0); /* asked again */
        CHECK_EQ(edg_clock_at(&dev, 5), 1700000000UL);
    }
    load(&dev, &b);
    CHECK_EQ(set_clock(1, 1700000000UL, 5), EDG_R_TIME); /* the owner's, but not this act */
    CHECK_EQ(edg_clock_set_back(&dev, 0), EDG_R_TIME);
    CHECK_EQ(edg_clock_set_back(&dev, 1700000000UL), 0);
    CHECK_EQ(edg_clock_at(&dev, 15), 1700000001UL);
    CHECK_EQ(set_clock(0, 1700000100UL, 5), 0); /* from there on everything is as ever */
    CHECK_EQ(set_clock(0, 1700000000UL, 5), EDG_R_TIME);
    load(&dev, &b);
    CHECK_EQ(set_clock(0, 1699999997UL, 5), EDG_R_TIME);
    CHECK_EQ(set_clock(0, 1700000000UL, 5), 0);
    CHECK_EQ(edg_clock_set_back(&dev, 1800000000UL), 0); /* or forward */
    CHECK_EQ(edg_clock_at(&dev, 5), 1800000000UL);
}

/* Cells that keep what they have: only reading back tells, and what is then refused has changed nothing that counts. */
static void wears_out(bench *b, unsigned at, unsigned n)
{
    b->worn_at = at;
    b->worn = n;
}

static void worn_counters(void)
{
    bench b;
    uint32_t i, boot = 2 * EDG_BOOT_SLOTS;
    unsigned at;

    bench_init(&b);
    for (i = 1; i <= boot; i++) /* every slot has an earlier value, which is valid */
        CHECK_EQ(boot_of(&b), i);
    for (i = 0; i < EDG_BOOT_SLOTS; i++)
        for (at = 0; at < EDG_COUNTER_CELL; at++) {
            wears_out(&b, EDG_NV_BOOT + i * EDG_COUNTER_CELL + at, EDG_COUNTER_CELL - at);
            CHECK_EQ(boot_of(&b), ++boot);
            CHECK_EQ(boot_of(&b), ++boot);
        }
    bench_owner(&b, ke, hint, 1, zero);
    wears_out(&b, EDG_NV_BOOT, EDG_BOOT_SLOTS * EDG_COUNTER_CELL);
    CHECK_EQ(boot_of(&b), 0);
    wears_out(&b, 0, 0);
    CHECK_EQ(boot_of(&b), boot + 1);
}

static void worn_clock(void)
{
    bench b;

    bench_init(&b);
    bench_owner(&b, ke, hint, 1, zero);
    load(&dev, &b);
    CHECK_EQ(set_clock(1, 1700000000UL, 100), 0);
    wears_out(&b, EDG_NV_CLOCK, EDG_CLOCK_SLOTS * EDG_COUNTER_CELL);
    CHECK_EQ(set_clock(1, 1800000000UL, 100), EDG_R_STORAGE);
    CHECK_EQ(edg_clock_at(&dev, 100), 1700000000UL);
}

/* At any byte of either copy of the record, to its end. A byte that had the right value all along does no harm. */
static void worn_records(void)
{
    static const uint8_t next[32] = {4, 5, 6};
    static edg_device writer;
    unsigned at;
    uint8_t key[32];
    int err;

    for (at = 0; at < EDG_NV_BACKUP + 58 - EDG_NV_OWNER; at++) {
        bench b;

        bench_init(&b);
        load(&writer, &b);
        wears_out(&b, EDG_NV_OWNER + at, 58);
        CHECK_EQ(edg_owner_write(&writer, hint, 1, ke), EDG_ERR_STORAGE);

        bench_init(&b);
        bench_owner(&b, ke, hint, 1, zero);
        load(&writer, &b);
        wears_out(&b, EDG_NV_OWNER + at, 58);
        CHECK_EQ(edg_owner_write(&writer, hint, 2, next), EDG_ERR_STORAGE);

        bench_init(&b);
        bench_owner(&b, ke, hint, 1, zero);
        load(&writer, &b);
        CHECK_EQ(edg_owner_set_generation(&writer, 3, 1), EDG_OK);
        wears_out(&b, EDG_NV_OWNER + at, 58);
        err = edg_owner_set_generation(&writer, 3, 2);
        CHECK(edg_owner_load(&writer) != EDG_OK || edg_device_claimed(&writer));
        wears_out(&b, 0, 0);
        load(&writer, &b);
        CHECK(edg_device_claimed(&writer));
        CHECK(edg_owner_generation(&writer, 3) == 2 || (err != EDG_OK && edg_owner_generation(&writer, 3) == 1));
        CHECK_EQ(edg_owner_key(&writer, key), EDG_OK);
        CHECK(memcmp(key, ke, sizeof ke) == 0);
        wears_out(&b, EDG_NV_OWNER + at, 58);
        CHECK_EQ(edg_owner_erase(&writer), EDG_ERR_STORAGE); /* a key that stays is not said to be gone */
    }
}

void test_storage(void)
{
    worn_counters();
    worn_clock();
    worn_records();
    boots();
    records();
    clocks();
    clock_steps();
    clock_back();
}
