#include "../greenhouse/greenhouse.h"
#include "caller.h"
#include "check.h"

/* The claim over messages; its bytes are held against Go's in vectors.c. */

static const uint8_t id[4] = {1, 2, 3, 4}, seed[32] = {5}, hint[4] = {0xFE, 0x81, 0x2C, 0x12}, no_frames[1];

static void ke_of(caller *c, const uint8_t first[33], const uint8_t answer[33], uint8_t ke[32])
{
    uint8_t kf[32];

    memcpy(kf, c->board->nv + EDG_NV_FACTORY + 6, 32);
    edg_mac_begin(&c->desk, kf, EDG_LABEL_CLAIM);
    edg_mac_put(&c->desk, id, 4);
    edg_mac_put(&c->desk, first + 5, 16);
    edg_mac_put(&c->desk, answer + 3, 16);
    edg_mac_put(&c->desk, answer + 1, 2);
    edg_mac_end(&c->desk, kf, ke);
}

static void second_of(caller *c, const uint8_t first[33], const uint8_t answer[33], const uint8_t ke[32], uint8_t second[53])
{
    uint8_t mac[32];

    second[0] = 2;
    memcpy(second + 1, hint, 4);
    memcpy(second + 5, first + 5, 16);
    memcpy(second + 21, answer + 3, 16);
    edg_mac_begin(&c->desk, ke, EDG_LABEL_CONFIRM_OWNER);
    edg_mac_put(&c->desk, second + 1, 36);
    edg_mac_end(&c->desk, ke, mac);
    memcpy(second + 37, mac, 16);
}

void test_claim(void)
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
    second_of(&c, first, answer, ke, second);

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
