#include "../greenhouse/greenhouse.h"
#include "caller.h"
#include "check.h"

/* What the owner does: time, generations; and who may not. */

static const uint8_t ke[32] = {7}, hint[4] = {1, 2, 3, 4}, zero[16], no_frames[1];

static edg_device dev;
static greenhouse house;
static bench board;
static caller owner, other;

static void boot(void)
{
    bench_init(&board);
    bench_owner(&board, ke, hint, 1, zero);
    bench_boot(&board, 3);
    memset(&house, 0, sizeof house);
    CHECK_EQ(edg_device_init(&dev, &board.platform, &greenhouse_service, &house), EDG_OK);
    caller_init(&owner, &dev, &board, ke, hint, 0, 0, no_frames, 1);
    caller_init(&other, &dev, &board, ke, hint, 3, 0, no_frames, 1);
    CHECK_EQ(caller_open(&owner, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_open(&other, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(other.code, EDG_CONTENT);
}

static int set_time(caller *c, uint32_t unix_seconds)
{
    uint8_t b[4];

    edg_store32(b, unix_seconds);
    return caller_call(c, EDG_POST, "/t", NULL, b, sizeof b);
}

static void times(void)
{
    /* frame 1: until 1700000100 */
    static const uint8_t until[] = {5, 0x2C, 0x65, 0x53, 0xF1, 0x64};
    static caller guest;

    boot();
    caller_init(&guest, &dev, &board, ke, hint, 5, 0, until, sizeof until);
    CHECK_EQ(caller_open(&guest, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&guest), EDG_R_DENIED_NO_CLOCK);
    CHECK(guest.tagged);
    CHECK_EQ(guest.answer.payload[1], 1);
    CHECK_EQ(guest.answer.payload[2], 5);
    CHECK_EQ(set_time(&other, 1700000000UL), 0);
    CHECK_EQ(caller_reason(&other), EDG_R_TIME);
    CHECK(other.tagged);
    CHECK_EQ(set_time(&owner, 1700000000UL), 0);
    CHECK_EQ(owner.code, EDG_CHANGED);
    CHECK_EQ(owner.answer.payload_len, 0);
    CHECK_EQ(edg_device_unix(&dev), 1700000000UL);
    CHECK_EQ(caller_call(&guest, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(guest.code, EDG_CONTENT);
    board.tick += 1000;
    CHECK_EQ(caller_call(&guest, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&guest), EDG_R_DENIED);
    CHECK_EQ(caller_call(&owner, EDG_POST, "/t", NULL, zero, 3), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_STALE);
    CHECK_EQ(caller_call(&owner, EDG_POST, "/t", NULL, zero, 3), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_ARGUMENT);
}

static int bump(caller *c, uint8_t branch, uint8_t generation)
{
    uint8_t b[2];

    b[0] = branch;
    b[1] = generation;
    return caller_call(c, EDG_POST, "/g", NULL, b, sizeof b);
}

static void generations(void)
{
    boot();
    CHECK_EQ(bump(&other, 3, 1), 0);
    CHECK_EQ(caller_reason(&other), EDG_R_DENIED);
    CHECK_EQ(other.answer.payload[1], 0);
    CHECK_EQ(other.answer.payload[2], 0);
    CHECK_EQ(bump(&owner, 16, 1), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_ARGUMENT);
    CHECK_EQ(bump(&owner, 3, 1), 0);
    CHECK_EQ(owner.code, EDG_CHANGED);
    /* The branch's sessions are over, its old capabilities too; the new ones hold, and the owner's session goes on. */
    CHECK_EQ(caller_call(&other, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&other), EDG_R_NO_SESSION);
    CHECK_EQ(caller_open(&other, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&other), EDG_R_GENERATION);
    other.carried[7] = 1;
    CHECK_EQ(caller_open(&other, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(other.code, EDG_CONTENT);
    CHECK_EQ(bump(&owner, 3, 1), 0); /* again: as it is */
    CHECK_EQ(owner.code, EDG_CHANGED);
    CHECK_EQ(bump(&owner, 3, 0), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_ARGUMENT);
    CHECK_EQ(caller_call(&other, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(other.code, EDG_CONTENT);
    /* The memory fails: refused, and nothing has changed. */
    board.read_only = 1;
    CHECK_EQ(bump(&owner, 3, 2), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_STORAGE);
    board.read_only = 0;
    CHECK_EQ(caller_call(&other, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(other.code, EDG_CONTENT);
    /* It fails in the middle of the first copy, behind the generation: that counts from now on, so no session of the old one may go on. */
    board.power = 3 + 1; /* bytes that change: generation and CRC of the second copy, generation of the first */
    CHECK_EQ(bump(&owner, 3, 2), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_STORAGE);
    board.power = -1;
    board.read_only = 0;
    CHECK_EQ(bump(&owner, 3, 2), 0);
    CHECK_EQ(owner.code, EDG_CHANGED);
    CHECK_EQ(caller_call(&other, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&other), EDG_R_NO_SESSION);
    /* The owner's own branch: the answer still comes, tagged, then the session is over. */
    CHECK_EQ(bump(&owner, 0, 1), 0);
    CHECK_EQ(owner.code, EDG_CHANGED);
    CHECK(owner.tagged);
    CHECK_EQ(bump(&owner, 0, 2), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_NO_SESSION);
    owner.carried[7] = 1;
    CHECK_EQ(caller_open(&owner, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(owner.code, EDG_CONTENT);
    /* It survives a boot. */
    CHECK_EQ(edg_device_init(&dev, &board.platform, &greenhouse_service, &house), EDG_OK);
    CHECK_EQ(edg_owner_generation(&dev, 3), 2);
    CHECK_EQ(edg_owner_generation(&dev, 0), 1);
}

/* Slots that could all go, the owner's first: his last session falls to nobody else, wherever it is. */
static void last_session(void)
{
    static const uint8_t header[12] = {0x15};
    uint8_t i;

    memset(&dev, 0, sizeof dev);
    for (i = 1; i < EDG_SLOTS; i++) {
        dev.slots[i].body_len = 1;
        dev.slots[i].first[0] = (uint8_t)(i - 1);
        dev.slots[i].tick = i;
    }
    CHECK(edg_slot_choose(&dev, header) == dev.slots + 2);
    dev.slots[0].body_len = 1;
    CHECK(edg_slot_choose(&dev, header) == dev.slots + 1);
    for (i = 0; i < EDG_SLOTS; i++)
        dev.slots[i].young = 1;
    CHECK(edg_slot_choose(&dev, header) == NULL);
}

/* A used cookie is remembered for as long as it is good, and no longer; whoever takes its place is not taken for it. */
static void used_cookies(void)
{
    static const uint8_t mac[8] = {1, 2, 3, 4};

    memset(&dev, 0, sizeof dev);
    edg_ring_put(&dev, 2, mac, 0);
    dev.slots[1].entry = 2 + 1;
    edg_age(&dev, EDG_COOKIE_TICKS);
    CHECK_EQ(edg_ring_find(&dev, mac), 2);
    edg_age(&dev, EDG_COOKIE_TICKS + 1);
    CHECK_EQ(edg_ring_find(&dev, mac), EDG_NO_SLOT);
    CHECK(edg_slot_by_entry(&dev, 2) == dev.slots + 1);
    edg_ring_put(&dev, 2, zero, 0);
    CHECK(edg_slot_by_entry(&dev, 2) == NULL);
}

/* Conditions and blocks that this device does not serve are refused, never ignored. */
static void conditions(void)
{
    static const uint8_t if_match[] = {0x10};
    uint8_t message[CALLER_MESSAGE];

    boot();
    CHECK_EQ(caller_call(&owner, EDG_POST, "/f/valve", NULL, zero, 1), 0);
    memcpy(message, owner.in, 6);
    message[6] = if_match[0];
    memcpy(message + 7, owner.in + 6, owner.in_len - 6);
    message[7] = (uint8_t)(message[7] - 0x10); /* Uri-Path comes 10 behind If-Match now */
    memcpy(owner.in, message, owner.in_len + 1);
    owner.in_len++;
    CHECK_EQ(caller_again(&owner), 0); /* it was not under the tag */
    CHECK_EQ(caller_reason(&owner), EDG_R_TAG);
    CHECK_EQ(house.count, 1);
}

void test_owner(void)
{
    times();
    generations();
    last_session();
    used_cookies();
    conditions();
}
