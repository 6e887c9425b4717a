#include "../greenhouse/greenhouse.h"
#include "caller.h"
#include "check.h"

/* Counts, rates, discharges, and the next epoch, on a device whose EEPROM may fail, or lose its power at any byte. What each constraint says of a request is in the vectors. */

static const uint8_t ke[32] = {7}, hint[4] = {1, 2, 3, 4}, zero[16], no_frames[1];

static edg_device dev;
static greenhouse house;
static bench board;
static caller owner, guest;

static int start(void)
{
    memset(&house, 0, sizeof house);
    board.power = -1;
    board.read_only = 0;
    return edg_device_init(&dev, &board.platform, &greenhouse_service, &house);
}

static void boot(void)
{
    bench_init(&board);
    bench_owner(&board, ke, hint, 1, zero);
    bench_boot(&board, 3);
    CHECK_EQ(start(), EDG_OK);
    caller_init(&owner, &dev, &board, ke, hint, 0, 0, no_frames, 1);
    CHECK_EQ(caller_open(&owner, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(owner.code, EDG_CONTENT);
}

/* The identity of the guest's first frame: the first bytes of k0. */
static void identify(uint8_t identity[8])
{
    uint8_t key[32];

    memcpy(key, ke, sizeof key);
    caller_mac_begin(&guest, key, EDG_LABEL_ROOT);
    edg_mac_put16(&guest.desk, edg_load16(guest.carried + 5));
    edg_mac_put8(&guest.desk, guest.carried[0] & 15);
    edg_mac_put8(&guest.desk, guest.carried[7]);
    caller_mac_end(&guest, key);
    caller_mac_begin(&guest, key, EDG_LABEL_HEAD);
    edg_mac_put8(&guest.desk, 12);
    edg_mac_put(&guest.desk, guest.carried, 12);
    edg_mac_put(&guest.desk, guest.carried + 12, (uint16_t)(1u + guest.carried[12]));
    caller_mac_end(&guest, key);
    memcpy(identity, key, 8);
}

static int reserve(uint8_t cell, const uint8_t identity[8])
{
    uint8_t b[9];

    b[0] = cell;
    memcpy(b + 1, identity, 8);
    return caller_call(&owner, EDG_POST, "/n", NULL, b, sizeof b);
}

static int valve(caller *c, uint8_t percent) { return caller_call(c, EDG_POST, "/f/valve", NULL, &percent, 1); }

static void denied(uint8_t reason, uint8_t frame, uint8_t type)
{
    CHECK_EQ(caller_reason(&guest), reason);
    CHECK(guest.tagged);
    CHECK_EQ(guest.answer.payload[1], frame);
    CHECK_EQ(guest.answer.payload[2], type);
}

/* At most 3 requests, counted in cell 2. */
static const uint8_t three[] = {3, 0x52, 3, 2};

static void counts(void)
{
    uint8_t identity[8], percent = 1;

    boot();
    caller_init(&guest, &dev, &board, ke, hint, 3, 0, three, sizeof three);
    CHECK_EQ(caller_open(&guest, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    denied(EDG_R_DENIED_NO_CLOCK, 1, EDG_T_COUNT);
    identify(identity);
    CHECK_EQ(reserve(2, identity), 0);
    CHECK_EQ(owner.code, EDG_CHANGED);
    CHECK_EQ(owner.answer.payload_len, 0);
    CHECK_EQ(valve(&guest, 1), 0); /* this session does not know of it */
    denied(EDG_R_DENIED_NO_CLOCK, 1, EDG_T_COUNT);
    board.tick += 30;
    CHECK_EQ(caller_open(&guest, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    CHECK_EQ(guest.code, EDG_CHANGED);
    CHECK_EQ(caller_again(&guest), 0); /* an answer sent again is not counted */
    CHECK_EQ(guest.code, EDG_CHANGED);
    CHECK_EQ(edg_count_get(&dev, 2), 1);
    CHECK_EQ(caller_call(&guest, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(guest.code, EDG_CONTENT);
    board.read_only = 1; /* what cannot be counted does not act */
    CHECK_EQ(valve(&guest, 2), 0);
    CHECK_EQ(caller_reason(&guest), EDG_R_STORAGE);
    CHECK_EQ(house.count, 1);
    board.read_only = 0;
    CHECK_EQ(start(), EDG_OK); /* it survives a boot */
    CHECK_EQ(caller_open(&guest, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    CHECK_EQ(guest.code, EDG_CHANGED);
    CHECK_EQ(valve(&guest, 4), 0);
    denied(EDG_R_DENIED, 1, EDG_T_COUNT);
    CHECK_EQ(house.count, 1);
    /* The same identity keeps the count; after another it begins anew. */
    CHECK_EQ(caller_open(&owner, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(reserve(2, identity), 0);
    CHECK_EQ(edg_count_get(&dev, 2), 3);
    CHECK_EQ(reserve(2, zero), 0);
    CHECK_EQ(edg_count_is(&dev, 2, identity), 0);
    CHECK_EQ(reserve(2, identity), 0);
    CHECK_EQ(edg_count_is(&dev, 2, identity), 1);
    CHECK_EQ(edg_count_get(&dev, 2), 0);
    CHECK_EQ(reserve(4, identity), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_ARGUMENT);
    CHECK_EQ(caller_call(&owner, EDG_POST, "/n", NULL, identity, 8), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_ARGUMENT);
    CHECK_EQ(caller_call(&guest, EDG_POST, "/n", NULL, zero, 9), 0);
    denied(EDG_R_DENIED, 0, 0);
}

/* The power fails at every byte of a count: it is the one before or the one after, and 255 is never passed. */
static void count_cuts(void)
{
    static const uint8_t one[8] = {1}, two[8] = {2};
    long cut;
    int torn, n;

    for (torn = -1; torn < 256; torn += 51)
        for (n = 0; n < 5; n++)
            for (cut = 0; cut < 3; cut++) {
                int i, err, got;

                boot();
                CHECK_EQ(edg_count_reserve(&dev, 1, one), EDG_OK);
                for (i = 0; i < n; i++)
                    CHECK_EQ(edg_count_raise(&dev, 1), EDG_OK);
                board.power = cut;
                board.torn = torn;
                err = edg_count_raise(&dev, 1);
                CHECK_EQ(start(), EDG_OK);
                got = edg_count_get(&dev, 1);
                CHECK_EQ(edg_count_is(&dev, 1, one), 1);
                CHECK(err == EDG_OK ? got == n + 1 : got >= n); /* never back: a torn byte may spend more */
                CHECK_EQ(edg_count_raise(&dev, 1), got < 255 ? EDG_OK : EDG_ERR_STORAGE);
            }
    /* And at every byte of a cell that changes hands: nobody finds a count that was not his own. */
    for (torn = -1; torn < 256; torn += 51)
        for (cut = 0; cut < 26; cut++) {
            int err;

            boot();
            CHECK_EQ(edg_count_reserve(&dev, 1, one), EDG_OK);
            CHECK_EQ(edg_count_raise(&dev, 1), EDG_OK);
            CHECK_EQ(edg_count_raise(&dev, 1), EDG_OK);
            board.power = cut;
            board.torn = torn;
            err = edg_count_reserve(&dev, 1, two);
            CHECK_EQ(start(), EDG_OK);
            CHECK(edg_count_is(&dev, 1, one) == 0 || edg_count_get(&dev, 1) == 2);
            CHECK(edg_count_is(&dev, 1, two) == 0 || edg_count_get(&dev, 1) == 0);
            CHECK(err != EDG_OK || edg_count_is(&dev, 1, two) == 1);
            CHECK_EQ(edg_count_reserve(&dev, 1, two), EDG_OK);
            CHECK_EQ(edg_count_get(&dev, 1), 0);
        }
    boot();
    CHECK_EQ(edg_count_reserve(&dev, 0, one), EDG_OK);
    for (n = 0; n < 255; n++)
        CHECK_EQ(edg_count_raise(&dev, 0), EDG_OK);
    CHECK_EQ(edg_count_raise(&dev, 0), EDG_ERR_STORAGE);
    CHECK_EQ(edg_count_get(&dev, 0), 255);
}

/* Memory that keeps what it has, with no word of it: what is not counted does not act, and nobody gets a cell with another's count. */
static void worn_counts(void)
{
    static const uint8_t one[8] = {1}, two[8] = {2};
    uint8_t identity[8];
    unsigned at, n;

    boot();
    caller_init(&guest, &dev, &board, ke, hint, 3, 0, three, sizeof three);
    identify(identity);
    CHECK_EQ(edg_count_reserve(&dev, 2, identity), EDG_OK);
    CHECK_EQ(caller_open(&guest, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(guest.code, EDG_CONTENT);
    board.worn_at = EDG_NV_CELLS + 2 * 16 + 10;
    board.worn = 4;
    CHECK_EQ(valve(&guest, 7), 0);
    CHECK_EQ(caller_reason(&guest), EDG_R_STORAGE);
    CHECK_EQ(house.count, 0);
    board.worn = 0;
    CHECK_EQ(valve(&guest, 7), 0);
    CHECK_EQ(guest.code, EDG_CHANGED);
    for (at = 0; at < 16; at++)
        for (n = 1; n <= 16 - at; n++) {
            int err;

            boot();
            CHECK_EQ(edg_count_reserve(&dev, 1, one), EDG_OK);
            CHECK_EQ(edg_count_raise(&dev, 1), EDG_OK);
            CHECK_EQ(edg_count_raise(&dev, 1), EDG_OK);
            board.worn_at = EDG_NV_CELLS + 16 + at;
            board.worn = n;
            err = edg_count_raise(&dev, 1);
            CHECK_EQ(edg_count_get(&dev, 1) >= 3, err == EDG_OK);
            err = edg_count_reserve(&dev, 1, two);
            CHECK_EQ(edg_count_is(&dev, 1, two), err == EDG_OK);
            CHECK(err != EDG_OK || edg_count_get(&dev, 1) == 0);
        }
}

/* Bursts of 2, a token every 3 s. */
static const uint8_t slowly[] = {4, 0x5B, 2, 0, 3};

static void rates(void)
{
    uint8_t i, percent = 1;

    boot();
    caller_init(&guest, &dev, &board, ke, hint, 3, 0, slowly, sizeof slowly);
    CHECK_EQ(caller_open(&guest, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    denied(EDG_R_DENIED, 1, EDG_T_RATE); /* it starts empty */
    guest.tick = board.tick += 29;
    CHECK_EQ(valve(&guest, 1), 0);
    denied(EDG_R_DENIED, 1, EDG_T_RATE);
    guest.tick = board.tick += 1;
    CHECK_EQ(valve(&guest, 1), 0);
    CHECK_EQ(guest.code, EDG_CHANGED);
    CHECK_EQ(valve(&guest, 1), 0);
    denied(EDG_R_DENIED, 1, EDG_T_RATE);
    guest.tick = board.tick += 1000;
    for (i = 0; i < 2; i++) {
        CHECK_EQ(valve(&guest, 1), 0);
        CHECK_EQ(guest.code, EDG_CHANGED);
        CHECK_EQ(caller_again(&guest), 0); /* takes none */
        CHECK_EQ(guest.code, EDG_CHANGED);
    }
    CHECK_EQ(valve(&guest, 1), 0);
    denied(EDG_R_DENIED, 1, EDG_T_RATE);
    /* Another session of the same chain shares the bucket; more chains than buckets find none. */
    guest.tick = board.tick += 30;
    CHECK_EQ(caller_open(&guest, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    CHECK_EQ(guest.code, EDG_CHANGED);
    CHECK_EQ(valve(&guest, 1), 0);
    denied(EDG_R_DENIED, 1, EDG_T_RATE);
}

/* A bucket that is needed is taken from who used his least recently, but from no open session. */
static void bucket_order(void)
{
    static const uint8_t more[8] = {0xFF};
    uint8_t identity[8] = {0};
    edg_bucket *b;

    boot();
    for (b = dev.buckets; b < dev.buckets + EDG_BUCKETS; b++) {
        identity[0]++;
        CHECK(edg_bucket_find(&dev, identity) == b);
    }
    edg_bucket_use(&dev, dev.buckets);
    CHECK(edg_bucket_find(&dev, more) == dev.buckets + 1);
    dev.slots[0].places[EDG_CELLS + 2] = 1;
    CHECK(edg_bucket_find(&dev, identity) == dev.buckets + 3);
    identity[0] = 0xFE;
    CHECK(edg_bucket_find(&dev, identity) == dev.buckets); /* 2 is the oldest, and in use */
}

/* Entries of any number, but by number: a read of the head names none. */
static void entries(void)
{
    static const uint8_t all[] = {10, 0x27, 8, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF};

    boot();
    edg_device_poll(&dev);
    caller_init(&guest, &dev, &board, ke, hint, 3, 0, all, sizeof all);
    CHECK_EQ(caller_open(&guest, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    denied(EDG_R_DENIED, 1, 4);
    CHECK_EQ(caller_call(&guest, EDG_GET, "/l/events", "s=1&n=1", NULL, 0), 0);
    CHECK_EQ(guest.code, EDG_CONTENT);
}

/* r as it goes over the wire. */
static int raise_epoch(uint16_t epoch, const uint8_t r[32])
{
    uint8_t b[34], pad[32], i;

    caller_mac_begin(&owner, owner.ks, EDG_LABEL_PAD);
    edg_mac_put32(&owner.desk, owner.sequence + 1);
    caller_mac_end(&owner, pad);
    edg_store16(b, epoch);
    for (i = 0; i < 32; i++)
        b[2 + i] = r[i] ^ pad[i];
    return caller_call(&owner, EDG_POST, "/e", NULL, b, sizeof b);
}

static void next_key(uint16_t epoch, const uint8_t r[32], uint8_t next[32])
{
    caller_mac_begin(&owner, ke, EDG_LABEL_RATCHET);
    edg_mac_put16(&owner.desk, epoch);
    edg_mac_put(&owner.desk, r, 32);
    caller_mac_end(&owner, next);
}

static int opens_as(const uint8_t key[32], uint16_t epoch)
{
    caller_init(&owner, &dev, &board, key, hint, 0, 0, no_frames, 1);
    edg_store16(owner.carried + 5, epoch);
    return caller_open(&owner, EDG_GET, "/l/events", NULL, NULL, 0) == 0;
}

static void open_as(const uint8_t key[32], uint16_t epoch) { CHECK(opens_as(key, epoch)); }

static void epochs(void)
{
    static const uint8_t r[32] = {5, 4, 3}, one[8] = {1};
    uint8_t next[32];
    uint16_t id;

    boot();
    CHECK_EQ(edg_owner_set_generation(&dev, 4, 9), EDG_OK);
    CHECK_EQ(edg_count_reserve(&dev, 3, one), EDG_OK);
    next_key(2, r, next);
    CHECK_EQ(raise_epoch(1, r), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_ARGUMENT);
    CHECK_EQ(raise_epoch(3, r), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_ARGUMENT);
    CHECK_EQ(caller_call(&owner, EDG_POST, "/e", NULL, r, 32), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_ARGUMENT);
    /* The owner's branch, but not the owner's own capability. */
    caller_init(&guest, &dev, &board, ke, hint, 0, 0, (const uint8_t *)"\0\0", 2);
    guest.nonce[0] = 9;
    CHECK_EQ(caller_open(&guest, EDG_POST, "/e", NULL, r, 32), 0);
    denied(EDG_R_DENIED, 0, 0);
    board.read_only = 1;
    CHECK_EQ(raise_epoch(2, r), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_STORAGE);
    CHECK(owner.tagged);
    board.read_only = 0;
    CHECK_EQ(raise_epoch(2, r), 0);
    CHECK_EQ(owner.code, EDG_CHANGED);
    CHECK(owner.tagged);
    CHECK_EQ(owner.answer.payload_len, 0);
    CHECK_EQ(caller_call(&owner, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&owner), EDG_R_NO_SESSION);
    CHECK_EQ(caller_call(&guest, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&guest), EDG_R_NO_SESSION);
    CHECK_EQ(edg_owner_generation(&dev, 4), 0);
    CHECK_EQ(edg_count_is(&dev, 3, one), 0);
    id = owner.message_id;
    open_as(ke, 1);
    CHECK_EQ(caller_reason(&owner), EDG_R_EPOCH);
    open_as(ke, 2); /* the old key */
    CHECK_EQ(caller_reason(&owner), EDG_R_TAG);
    open_as(next, 2);
    CHECK_EQ(owner.code, EDG_CONTENT);
    CHECK_EQ(start(), EDG_OK);
    owner.message_id = (uint16_t)(id + 100);
    open_as(next, 2);
    CHECK_EQ(owner.code, EDG_CONTENT);
}

/* The power fails at every byte of the bump: the owner has one of the two epochs, and nobody else the device. */
static void epoch_cuts(void)
{
    static const uint8_t r[32] = {5, 4, 3};
    uint8_t next[32], secret[32];
    long cut;
    int torn, err, old, new;

    for (torn = -1; torn < 256; torn += 85)
        for (cut = 0; cut < 150; cut++) {
            boot();
            next_key(2, r, next);
            memcpy(secret, r, sizeof secret);
            board.power = cut;
            board.torn = torn;
            err = edg_epoch_raise(&dev, 2, secret);
            CHECK(memcmp(secret, zero, sizeof zero) == 0);
            CHECK_EQ(start(), EDG_OK);
            CHECK(edg_device_claimed(&dev));
            open_as(ke, 1);
            old = owner.code == EDG_CONTENT;
            open_as(next, 2);
            new = owner.code == EDG_CONTENT;
            CHECK(old + new == 1 && (err != EDG_OK || new));
        }
}

/* The writes fail from any byte of the bump on, and the device goes on: what it takes is what it would take after a boot. */
static void epoch_errors(void)
{
    static const uint8_t r[32] = {5, 4, 3};
    uint8_t next[32];
    long cut;
    int torn, again, went_on;

    for (torn = -1; torn < 256; torn += 85)
        for (cut = 0; cut < 200; cut += 1 + 3 * (cut > 4 && cut < 50))
            for (again = 0; again < 2; again++) { /* do writes succeed again? */
                boot();
                next_key(2, r, next);
                board.power = cut;
                board.torn = torn;
                CHECK_EQ(raise_epoch(2, r), 0);
                CHECK(owner.tagged);
                if (!again && board.read_only == 0)
                    continue; /* it was over before */
                board.read_only = !again;
                board.power = -1;
                CHECK_EQ(caller_call(&owner, EDG_GET, "/l/events", NULL, NULL, 0), 0);
                went_on = owner.code == EDG_CONTENT;
                board.tick++; /* another cookie */
                CHECK_EQ(opens_as(ke, 1) && owner.code == EDG_CONTENT, went_on);
                board.read_only = 0;
                CHECK_EQ(start(), EDG_OK);
                open_as(went_on ? ke : next, went_on ? 1 : 2);
                CHECK_EQ(owner.code, EDG_CONTENT);
            }
}

/* A discharge that nobody gave, while reading the EEPROM fails: whatever the device answers, the session does not let it pass later. */
static void unread_discharge(void)
{
    uint8_t frames[1 + 46 + 2 + 16], percent = 1;
    long reads;
    int failed = 0;

    memset(frames, 0, sizeof frames);
    frames[0] = 46;
    frames[1] = EDG_T_THIRD_PARTY << 3 | 7;
    frames[2] = 44;
    frames[47] = 0xF1;
    for (reads = 0; reads < 20; reads++) {
        boot();
        caller_init(&guest, &dev, &board, ke, hint, 3, 0, frames, sizeof frames);
        guest.send_frames = 1;
        board.reads = reads;
        CHECK_EQ(caller_open(&guest, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
        board.reads = -1;
        failed += guest.tagged && caller_reason(&guest) == EDG_R_STORAGE;
        CHECK(caller_reason(&guest) != 0);
        CHECK_EQ(valve(&guest, 2), 0);
        CHECK(caller_reason(&guest) != 0);
        CHECK_EQ(house.count, 0);
    }
    CHECK(failed > 0);
}

void test_policy(void)
{
    unread_discharge();
    counts();
    count_cuts();
    worn_counts();
    rates();
    bucket_order();
    entries();
    epochs();
    epoch_cuts();
    epoch_errors();
}
