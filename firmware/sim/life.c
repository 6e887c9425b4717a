#include "life.h"

#include <string.h>

#include "../test/check.h"
#include "factory.h"

static struct sim_board *board;

static size_t ask_board(const uint8_t *message, size_t n, uint8_t *answer, size_t cap)
{
    return sim_board_ask(board, message, n, answer, cap);
}

void life_on(struct sim_board *b)
{
    board = b;
    life_ask = ask_board;
}

const uint8_t life_hint[4] = {0x11, 0x22, 0x33, 0x44};

static const edg_setup_code factory = {{1, 2, 3, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6}};

void life_make(uint8_t *eeprom)
{
    memset(eeprom, 0xff, SIM_EEPROM_BYTES);
    CHECK_EQ(sim_factory_store(&factory, eeprom), 0);
}

static void note_last(life_note note, void *ctx, const char *what)
{
    if (note != NULL) {
        note(ctx, what, &board->last);
    }
}

/* H(key, label | parts), docs/spec/capability.md */
static void mac(const uint8_t *key, uint8_t key_len, const uint8_t *input, uint16_t n, uint8_t out[32])
{
    edg_sha256 s;

    edg_hmac_init(&s, key, key_len);
    edg_sha256_update(&s, input, n);
    edg_hmac_final(&s, key, key_len, out);
}

static size_t join(uint8_t *to, size_t at, const void *from, size_t n)
{
    memcpy(to + at, from, n);
    return at + n;
}

size_t life_claim_first(uint8_t ke[32], uint8_t second[64], life_note note, void *ctx)
{
    static caller c;
    uint8_t message[33] = {1}, nonce[16], device[16], input[64], sum[32] = {0};
    uint16_t count;
    size_t n;

    memset(nonce, 0x5a, sizeof nonce);
    caller_init(&c, NULL, NULL, sum, life_hint, 0, 0, sum, 0);
    (void)join(message, join(message, 1, factory.id, 4), nonce, 16);
    if (caller_plain(&c, EDG_POST, "/k", NULL, message, sizeof message) != 0 || c.code != EDG_CHANGED || c.answer.payload_len < 19) {
        return 0;
    }
    note_last(note, ctx, "claim, first message");
    count = edg_load16(c.answer.payload + 1);
    memcpy(device, c.answer.payload + 3, 16);

    input[0] = EDG_LABEL_FACTORY;
    (void)join(input, 1, factory.id, 4);
    mac(factory.seed, 16, input, 5, sum);
    input[0] = EDG_LABEL_CLAIM;
    n = join(input, join(input, join(input, 1, factory.id, 4), nonce, 16), device, 16);
    edg_store16(input + n, count);
    mac(sum, 32, input, (uint16_t)(n + 2u), ke);

    input[0] = EDG_LABEL_CONFIRM_OWNER;
    n = join(input, join(input, join(input, 1, life_hint, 4), nonce, 16), device, 16);
    mac(ke, 32, input, (uint16_t)n, sum);
    second[0] = 2;
    memcpy(second + 1, input + 1, n - 1);
    return join(second, n, sum, 16);
}

int life_claim(uint8_t ke[32], life_note note, void *ctx)
{
    static caller c;
    uint8_t second[64], sum[32];
    size_t n = life_claim_first(ke, second, note, ctx);

    caller_init(&c, NULL, NULL, ke, life_hint, 0, 0, ke, 0);
    c.message_id = 1000;
    if (n == 0 || caller_plain(&c, EDG_POST, "/k", NULL, second, n) != 0 || c.code != EDG_CHANGED || c.answer.payload_len != 17) {
        return -1;
    }
    note_last(note, ctx, "claim, second message");
    second[0] = EDG_LABEL_CONFIRM_DEVICE;
    mac(ke, 32, second, 37, sum);
    return memcmp(sum, c.answer.payload + 1, 16) == 0 ? 0 : -1;
}

bool life_answers(void)
{
    static caller c;
    static const uint8_t none[32];
    static uint16_t id;

    caller_init(&c, NULL, NULL, none, life_hint, 0, 0, none, 0);
    c.message_id = id = (uint16_t)(id + 77u);
    if (caller_plain(&c, EDG_GET, "/.well-known/core", NULL, NULL, 0) != 0) {
        return false;
    }
    return c.code == EDG_CONTENT && c.answer.payload_len > 20 && memcmp(c.answer.payload, "</l/temperature>", 16) == 0;
}

/* As the tour attenuates the owner's: the empty frame, then a salt and "read temperature; call valve with argument 0..30". */
static const uint8_t two_frames[] = {
    0, 31, 0x4c, 1, 2, 3, 4, 0x0f, 12, 1, 't', 'e', 'm', 'p', 'e', 'r', 'a', 't', 'u', 'r', 'e', 0x0e, 8, 'v', 'a', 'l', 'v', 'e',
    0x1c, 0, 0, 0, 30,
};

/* A salt and "call valve": the slot keeps the frames. */
static const uint8_t short_frames[] = {0, 12, 0x4c, 1, 2, 3, 4, 0x0e, 8, 'v', 'a', 'l', 'v', 'e'};

/* Four frames of 28 bytes: with them an OPEN is about as long as the line takes. */
static size_t large_frames(uint8_t *to)
{
    size_t at = 0;

    for (uint8_t i = 0; i < 4u; i++) {
        to[at++] = 28;
        at = join(to, at, "\x41\xff", 2);         /* HOLD */
        at = join(to, at, "\x0f\x0c\x01temperature", 14);
        at = join(to, at, "\x0e\x08valve", 7);
        at = join(to, at, "\x1c\0\0\0\x64", 5);   /* BOUND */
    }
    return at;
}

static void session(caller *c, life_note note, void *ctx)
{
    uint8_t percent = 20;

    CHECK_EQ(caller_call(c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    note_last(note, ctx, "session: head of a log");
    CHECK(c->tagged);
    CHECK_EQ(caller_call(c, EDG_GET, "/l/temperature", "a=1.37&n=3", NULL, 0), 0);
    note_last(note, ctx, "session: range of 3 entries");
    CHECK(c->tagged);
    CHECK_EQ(caller_call(c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, "session: call of the valve");
    CHECK_EQ(caller_again(c), 0);
    note_last(note, ctx, "session: duplicate of the call");
}

static void owner(const uint8_t ke[32], life_note note, void *ctx)
{
    static caller c;
    static const uint8_t empty[1] = {0};
    uint8_t body[64] = {0};

    caller_init(&c, NULL, NULL, ke, life_hint, 0, 0, empty, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    note_last(note, ctx, "owner: open, 1 frame");
    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK(c.tagged);
    session(&c, note, ctx);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(board->valve, 20);
    memcpy(body, "\x02\x01\0\x07", 4);
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/events", NULL, body, 4), 0);
    note_last(note, ctx, "owner: append to a log in EEPROM");
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/events", "s=1&n=255", NULL, 0), 0);
    note_last(note, ctx, "owner: range from EEPROM");
    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/temperature", "s=20&n=255", NULL, 0), 0);
    note_last(note, ctx, "owner: longest range");
    CHECK_EQ(c.code, EDG_CONTENT);
    edg_store32(body, 1795000000u);
    CHECK_EQ(caller_call(&c, EDG_POST, "/t", NULL, body, 4), 0);
    note_last(note, ctx, "owner: set the clock");
    CHECK_EQ(c.code, EDG_CHANGED);
    body[0] = 3;
    body[1] = 1;
    CHECK_EQ(caller_call(&c, EDG_POST, "/g", NULL, body, 2), 0);
    note_last(note, ctx, "owner: generation bump");
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/none", NULL, body, 64), 0);
    note_last(note, ctx, "owner: no such log");
}

/* A count that is not reserved, and a rate: keys of the chain are derived twice. */
static const uint8_t limited[] = {7, 0x52, 9, 1, 0x5b, 2, 0, 1};
/* A body that says 1; an image without programs denies it. */
static const uint8_t program[] = {0, 5, 0x7c, 0x00, 0x41, 0x01, 0x0b};

/* What the whole policy costs. */
static void policy(const uint8_t ke[32], life_note note, void *ctx)
{
    static caller c;
    uint8_t percent = 20;

    sim_board_run(board, 3ull * SIM_HZ);
    caller_init(&c, NULL, NULL, ke, life_hint, 5, 0, limited, sizeof limited);
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, "open, count and rate: denied");
    CHECK_EQ(caller_reason(&c), EDG_R_DENIED_NO_CLOCK);
    sim_board_run(board, 3ull * SIM_HZ);
    caller_init(&c, NULL, NULL, ke, life_hint, 6, 0, program, sizeof program);
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, "open, 2 frames, a program");
    CHECK(c.tagged && (c.code == EDG_CHANGED || caller_reason(&c) == EDG_R_DENIED_NO_CLOCK));
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, "session: call through a program");
    CHECK(c.tagged);
}

void life_run(const uint8_t ke[32], life_note note, void *ctx)
{
    static caller c;
    uint8_t frames[180], percent = 90;
    size_t n;

    CHECK(life_answers());
    note_last(note, ctx, "links");
    owner(ke, note, ctx);

    caller_init(&c, NULL, NULL, ke, life_hint, 1, 0, two_frames, sizeof two_frames);
    CHECK_EQ(caller_plain(&c, EDG_POST, "/h", NULL, (const uint8_t *)"nonce678\x11\x11\x22\x33\x44\0\1\0\1\2\3\4", 20), 0);
    note_last(note, ctx, "hello");
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    note_last(note, ctx, "open, 2 frames");
    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK(c.tagged);
    c.send_frames = 1;
    session(&c, note, ctx);
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, "session with frames: call denied");
    CHECK_EQ(c.code, 0x83);
    CHECK_EQ(caller_reason(&c), EDG_R_DENIED);

    sim_board_run(board, 3ull * SIM_HZ); /* a slot stays for 2 s */
    caller_init(&c, NULL, NULL, ke, life_hint, 4, 0, short_frames, sizeof short_frames);
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, "open, 2 short frames");
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, "session: call of the valve");
    CHECK_EQ(c.code, EDG_CHANGED);

    policy(ke, note, ctx);
    sim_board_run(board, 3ull * SIM_HZ);
    n = large_frames(frames);
    caller_init(&c, NULL, NULL, ke, life_hint, 2, 0, frames, (uint8_t)n);
    c.hold = 255;
    percent = 20;
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, "open, 4 frames of 28 bytes");
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK(c.tagged);
    c.send_frames = 1;
    session(&c, note, ctx);
    CHECK_EQ(c.code, EDG_CHANGED);
}

/* Opens a session by a call of the valve, and calls it once more. Its log is full by now, so each call costs the same. */
static uint8_t call_twice(caller *c, const char *opening, const char *later, life_note note, void *ctx)
{
    uint8_t percent = 20;

    sim_board_run(board, 3ull * SIM_HZ);
    CHECK_EQ(caller_open(c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    if (c->code != EDG_CHANGED)
        return caller_reason(c);
    note_last(note, ctx, opening);
    CHECK(c->tagged);
    CHECK_EQ(caller_call(c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    note_last(note, ctx, later);
    CHECK_EQ(c->code, EDG_CHANGED);
    return 0;
}

/* The key after the frames of c's carried form: of all of them, or of the first. */
static void chain(caller *c, uint8_t frames, uint8_t key[32])
{
    size_t at = EDG_HEADER;

    caller_mac_begin(c, c->ke, EDG_LABEL_ROOT);
    edg_mac_put(&c->desk, c->carried + 5, 2);
    edg_mac_put8(&c->desk, c->carried[0] & 15);
    edg_mac_put8(&c->desk, c->carried[7]);
    caller_mac_end(c, key);
    for (uint8_t i = 0; i < frames; i++) {
        caller_mac_begin(c, key, i == 0 ? EDG_LABEL_HEAD : EDG_LABEL_FRAME);
        if (i == 0) {
            edg_mac_put8(&c->desk, EDG_HEADER);
            edg_mac_put(&c->desk, c->carried, EDG_HEADER);
        }
        edg_mac_put(&c->desk, c->carried + at, 1u + c->carried[at]);
        caller_mac_end(c, key);
        at += 1u + c->carried[at];
    }
}

/* COUNT of 9 in cell 1. */
static void counted(const uint8_t ke[32], life_note note, void *ctx)
{
    static const uint8_t empty[1] = {0}, frame[] = {3, 0x52, 9, 1};
    static caller owns, c;
    uint8_t reserve[9] = {1}, key[32];

    caller_init(&c, NULL, NULL, ke, life_hint, 7, 0, frame, sizeof frame);
    chain(&c, 1, key);
    memcpy(reserve + 1, key, 8);
    sim_board_run(board, 3ull * SIM_HZ);
    caller_init(&owns, NULL, NULL, ke, life_hint, 0, 0, empty, sizeof empty);
    CHECK_EQ(caller_open(&owns, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK_EQ(caller_call(&owns, EDG_POST, "/n", NULL, reserve, sizeof reserve), 0);
    note_last(note, ctx, "owner: reserve a cell");
    CHECK_EQ(owns.code, EDG_CHANGED);
    CHECK_EQ(call_twice(&c, "call: open, counted", "call: session, counted", note, ctx), 0);
}

/* A frame that demands a discharge, and one that says until when. */
static void discharged(const uint8_t ke[32], life_note note, void *ctx)
{
    static const uint8_t lock[32] = {1, 2, 3}, until[] = {5, 0x2c, 0xf0, 0, 0, 0};
    static caller c;
    uint8_t frames[1 + 47] = {0, 46, 0x77, 44, 'g', 'u', 'a', 'r', 1, 2, 3, 4, 5, 6, 7, 8}, key[32];

    caller_init(&c, NULL, NULL, ke, life_hint, 8, 0, frames, sizeof frames);
    chain(&c, 1, key);
    caller_mac_begin(&c, key, EDG_LABEL_THIRD_PARTY);
    edg_mac_put(&c.desk, frames + 12, 4);
    caller_mac_end(&c, key);
    for (uint8_t i = 0; i < sizeof key; i++)
        frames[16 + i] = key[i] ^ lock[i];
    caller_init(&c, NULL, NULL, ke, life_hint, 8, 0, frames, sizeof frames);
    c.discharge = until;
    c.discharge_key = lock;
    c.discharge_of = 2;
    c.send_frames = 1;
    CHECK_EQ(call_twice(&c, "call: open, a discharge", "call: session, a discharge", note, ctx), 0);
}

/* Calls of the valve under one capability of each size. */
static void sized(const uint8_t ke[32], life_note note, void *ctx)
{
    static const uint8_t empty[1] = {0};
    static caller c;
    uint8_t frames[180], n = (uint8_t)large_frames(frames);

    caller_init(&c, NULL, NULL, ke, life_hint, 10, 0, empty, sizeof empty);
    CHECK_EQ(call_twice(&c, "call: open, 1 frame", "call: session", note, ctx), 0);
    caller_init(&c, NULL, NULL, ke, life_hint, 11, 0, short_frames, sizeof short_frames);
    CHECK_EQ(call_twice(&c, "call: open, 2 frames", "call: session, 2 frames kept", note, ctx), 0);
    caller_init(&c, NULL, NULL, ke, life_hint, 12, 0, frames, n);
    c.hold = 255; /* the frames allow it */
    c.send_frames = 1;
    CHECK_EQ(call_twice(&c, "call: open, 4 frames", "call: session, 4 frames sent", note, ctx), 0);
}

void life_proofs(const uint8_t ke[32], life_note note, void *ctx)
{
    static caller c;
    uint8_t reason;

    sized(ke, note, ctx);
    counted(ke, note, ctx);
    discharged(ke, note, ctx);
    caller_init(&c, NULL, NULL, ke, life_hint, 9, 0, short_frames, sizeof short_frames);
    c.hidden = 1;
    reason = call_twice(&c, "call: open, private", "call: session, private", note, ctx);
    CHECK(reason == 0 || reason == EDG_R_TOO_LARGE);
}
