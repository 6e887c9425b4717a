#include "../greenhouse/greenhouse.h"
#include "caller.h"
#include "check.h"

/* The claim over messages; its bytes are held against Go's in vectors.c. */

static const uint8_t id[4] = {1, 2, 3, 4}, seed[32] = {5}, hint[4] = {0xFE, 0x81, 0x2C, 0x12}, no_frames[1];

static void ke_of(caller *c, const uint8_t first[33], const uint8_t answer[33], uint8_t ke[32])
{
    uint8_t kf[32];

    memcpy(kf, c->board->nv + EDG_NV_FACTORY + 6, 32);
    caller_mac_begin(c, kf, EDG_LABEL_CLAIM);
    edg_mac_put(&c->desk, id, 4);
    edg_mac_put(&c->desk, first + 5, 16);
    edg_mac_put(&c->desk, answer + 3, 16);
    edg_mac_put(&c->desk, answer + 1, 2);
    caller_mac_end(c, ke);
}

static void second_of(caller *c, const uint8_t owner[4], const uint8_t first[33], const uint8_t answer[33], const uint8_t ke[32], uint8_t second[53])
{
    uint8_t mac[32];

    second[0] = 2;
    memcpy(second + 1, owner, 4);
    memcpy(second + 5, first + 5, 16);
    memcpy(second + 21, answer + 3, 16);
    caller_mac_begin(c, ke, EDG_LABEL_CONFIRM_OWNER);
    edg_mac_put(&c->desk, second + 1, 36);
    caller_mac_end(c, mac);
    memcpy(second + 37, mac, 16);
}

/* The whole claim for this owner; 1, or 0 if the memory failed in between. */
static int claim(edg_device *dev, bench *b, const uint8_t owner[4], uint8_t ke[32])
{
    static caller c;
    uint8_t first[33] = {1, 1, 2, 3, 4}, answer[33], second[53];

    first[5] = owner[0];
    caller_init(&c, dev, b, seed, owner, 0, 0, no_frames, 1);
    c.link = EDG_LINK_CLAIM;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    memcpy(answer, c.answer.payload, c.answer.payload_len);
    ke_of(&c, first, answer, ke);
    second_of(&c, owner, first, answer, ke, second);
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, second, sizeof second), 0);
    if (c.code != EDG_CHANGED)
        CHECK_EQ(caller_reason(&c), EDG_R_STORAGE);
    return c.code == EDG_CHANGED;
}

static void power_on(edg_device *dev, bench *b)
{
    static greenhouse house;

    b->power = -1;
    b->torn = -1;
    b->read_only = 0;
    memset(&house, 0, sizeof house);
    CHECK_EQ(edg_device_init(dev, &b->platform, &greenhouse_service, &house), EDG_OK);
}

static int set_time(caller *c, uint32_t unix_seconds)
{
    uint8_t b[4];

    edg_store32(b, unix_seconds);
    return caller_call(c, EDG_POST, "/t", NULL, b, sizeof b);
}

#define FAR 0xF0000000UL

/* A device with a full log in EEPROM, and a clock mark from the far future. */
static void lived(edg_device *dev, bench *b, uint8_t ke[32])
{
    static caller c;
    int i;

    bench_init(b);
    CHECK_EQ(edg_factory_provision(&b->platform, id, seed), EDG_OK);
    power_on(dev, b);
    CHECK(claim(dev, b, hint, ke));
    for (i = 0; i < GREENHOUSE_EVENTS + 1; i++) {
        b->tick += EDG_WEAR_TICKS;
        CHECK_EQ(edg_device_append(dev, GREENHOUSE_EVENT, (const uint8_t *)"past"), EDG_OK);
    }
    caller_init(&c, dev, b, ke, hint, 0, 0, no_frames, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(set_time(&c, FAR), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    b->tick = 0;
}

/* The next owner's device: of the time before there is nothing, and its clock can be set. */
static void check_new(edg_device *dev, bench *b, const uint8_t owner[4], const uint8_t ke[32])
{
    static caller c;
    static const uint8_t zero[16];
    unsigned i, left = 0;

    edg_device_poll(dev);
    for (i = EDG_CELL + 4; i < (EDG_CELL + 4) * GREENHOUSE_EVENTS; i++) /* behind the first cell, which holds the claim */
        left += b->nv[EDG_NV_LOGS + i] != 0xFF;
    CHECK_EQ(left, 0);
    caller_init(&c, dev, b, ke, owner, 0, 0, no_frames, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", "a=0.0", NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK_EQ(c.answer.payload_len, 24 + 2 + 4);
    CHECK_EQ(edg_load32(c.answer.payload), edg_device_boot(dev));
    CHECK_EQ(edg_load32(c.answer.payload + 4), 1);
    CHECK(memcmp(c.answer.payload + 8, zero, sizeof zero) == 0);
    CHECK_EQ(set_time(&c, 1700000000UL), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(edg_device_unix(dev), 1700000000UL);
}

/* The power fails at every write of a factory reset, and again at some write of the claim that follows. */
static void cuts(void)
{
    static const uint8_t next[4] = {0xAA, 0xBB, 0xCC, 0xDD};
    static edg_device dev;
    bench old, b;
    uint8_t ke[32], again[32];
    int torn;
    long cut, writes;

    lived(&dev, &old, ke);
    old.platform.ctx = &b;
    for (torn = -1; torn < 256; torn += 128) {
        b = old;
        power_on(&dev, &b);
        b.written = 0;
        CHECK_EQ(edg_device_factory_reset(&dev), EDG_OK);
        writes = (long)b.written;
        CHECK(writes > 400);
        for (cut = 0; cut <= writes; cut++) {
            b = old;
            power_on(&dev, &b);
            b.power = cut;
            b.torn = torn;
            (void)edg_device_factory_reset(&dev);
            power_on(&dev, &b);
            if (edg_device_claimed(&dev)) /* nothing of the owner was erased yet */
                CHECK_EQ(edg_device_factory_reset(&dev), EDG_OK);
            b.power = cut % 150;
            b.torn = torn;
            (void)claim(&dev, &b, next, again);
            if (b.read_only)
                power_on(&dev, &b);
            b.power = -1;
            if (!edg_device_claimed(&dev))
                CHECK(claim(&dev, &b, next, again));
            CHECK(memcmp(ke, again, sizeof ke) != 0);
            check_new(&dev, &b, next, again);
        }
    }
}

/* A reset that the memory does not let through: the device is nobody's until it boots, and then still its owner's. */
static void failed_reset(void)
{
    static edg_device dev;
    static caller c;
    static const uint8_t first[33] = {1, 1, 2, 3, 4}, none[128];
    bench b;
    uint8_t ke[32];

    lived(&dev, &b, ke);
    power_on(&dev, &b);
    caller_init(&c, &dev, &b, ke, hint, 0, 0, no_frames, 1);
    c.link = EDG_LINK_LOCAL | EDG_LINK_CLAIM;
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
    b.read_only = 1;
    CHECK_EQ(edg_device_factory_reset(&dev), EDG_ERR_STORAGE);
    CHECK(!edg_device_claimed(&dev));
    CHECK(memcmp(&dev.cookie, none, sizeof dev.cookie) == 0 && memcmp(&dev.slots[0].key, none, sizeof dev.slots[0].key) == 0 &&
          memcmp(&dev.sha, none, sizeof dev.sha) == 0);
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_UNCLAIMED);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", NULL, NULL, 0), -1);
    CHECK_EQ(caller_reason(&c), EDG_R_UNCLAIMED);
    b.read_only = 0;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_BOOT_LOST);
    power_on(&dev, &b);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
}

static void messages(void)
{
    static edg_device dev;
    static greenhouse house;
    static caller c;
    bench b;
    uint8_t first[33] = {1, 1, 2, 3, 4, 42}, answer[33], second[53], ke[32];
    edg_platform copy;

    bench_init(&b);
    CHECK_EQ(edg_factory_provision(&b.platform, id, seed), EDG_OK);
    memset(&house, 0, sizeof house);
    CHECK_EQ(edg_device_init(&dev, &b.platform, &greenhouse_service, &house), EDG_OK);
    caller_init(&c, &dev, &b, seed, hint, 0, 0, no_frames, 1);
    b.tick = 50;
    c.link = EDG_LINK_LOCAL | EDG_LINK_CLAIM;

    /* Unclaimed: no hello, no logs. */
    CHECK_EQ(caller_plain(&c, EDG_POST, "/h", NULL, (const uint8_t *)"01234567\x10" "0123456789a", 20), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_UNCLAIMED);
    b.tick = 2000;
    edg_device_poll(&dev);
    CHECK_EQ(dev.logs[0].sequence, 0);

    c.link = EDG_LINK_LOCAL; /* local, but the window is over */
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_CLAIM_CLOSED);
    c.link = EDG_LINK_CLAIM;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first - 1), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_MALFORMED);
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(c.answer.payload_len, 1 + 2 + 16 + 5); /* "posix" */
    CHECK(c.out_len <= c.in_len);
    memcpy(answer, c.answer.payload, c.answer.payload_len);
    ke_of(&c, first, answer, ke);
    second_of(&c, hint, first, answer, ke, second);

    second[52] ^= 1;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, second, sizeof second), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_TAG);
    second[52] ^= 1;
    CHECK(!edg_device_claimed(&dev));
    /* The memory fails: no answer that claims success, and the device stays free. */
    b.read_only = 1;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, second, sizeof second), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_STORAGE);
    CHECK(!edg_device_claimed(&dev));
    b.read_only = 0;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, second, sizeof second), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(c.answer.payload_len, 17);
    CHECK(edg_device_claimed(&dev));
    edg_device_poll(&dev);
    CHECK_EQ(dev.logs[GREENHOUSE_EVENT].sequence, 1); /* the claim is the first event */

    /* A lost answer: the same again. Anything else: closed. */
    b.tick += 3000;
    CHECK_EQ(caller_again(&c), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_CLAIM_CLOSED);
    second[1] ^= 1;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, second, sizeof second), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_CLAIM_CLOSED);
    second[1] ^= 1;

    /* The product: the owner's capability works, also after a boot. */
    copy = b.platform;
    CHECK_EQ(edg_device_init(&dev, &copy, &greenhouse_service, &house), EDG_OK);
    caller_init(&c, &dev, &b, ke, hint, 0, 0, no_frames, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK(c.tagged);

    /* After a reset the same setup code claims it anew, and the old claim's messages are worth nothing. */
    CHECK_EQ(edg_device_factory_reset(&dev), EDG_OK);
    c.link = EDG_LINK_CLAIM;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, second, sizeof second), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_COOKIE);
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(c.answer.payload[2], 1); /* the count */

    /* A rotten factory record is told, one that was never written closes the claim. */
    b.nv[EDG_NV_FACTORY + 9] ^= 1;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_STORAGE);
    b.nv[EDG_NV_FACTORY] = 0xFF;
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, first, sizeof first), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_CLAIM_CLOSED);
}

void test_claim(void)
{
    messages();
    cuts();
    failed_reset();
}
