#include "../greenhouse/greenhouse.h"
#include "caller.h"
#include "check.h"

static const uint8_t ke[32] = {7}, hint[4] = {1, 2, 3, 4}, zero[16], no_frames[1];

static edg_device dev;
static greenhouse house;
static bench board;
static caller c;

static unsigned moves;

static void moved(void *ctx, uint8_t percent, uint16_t count)
{
    (void)ctx;
    (void)percent;
    moves++;
    CHECK_EQ(count, moves);
}

static void boot(void)
{
    bench_init(&board);
    bench_owner(&board, ke, hint, 1, zero);
    bench_boot(&board, 3);
    memset(&house, 0, sizeof house);
    house.on_valve = moved;
    moves = 0;
    CHECK_EQ(edg_device_init(&dev, &board.platform, &greenhouse_service, &house), EDG_OK);
    board.tick = 1000;
}

static int valve(uint8_t percent) { return caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1); }

/* Checks that the device does not start with this service, leaves its EEPROM alone, and answers nothing: no ping, no hello, no claim. */
static void stays_off(const edg_service *s)
{
    uint8_t ping[4] = {0x40, 0, 0x12, 0x34}, news[EDG_NEWS_MAX];
    unsigned long written;

    boot();
    written = board.written;
    CHECK(!edg_service_fits(s));
    CHECK_EQ(edg_device_init(&dev, &board.platform, s, &house), EDG_ERR_ARGUMENT);
    CHECK(!edg_device_claimed(&dev));
    CHECK_EQ(edg_device_handle(&dev, ping, sizeof ping, c.out, sizeof c.out, EDG_LINK_LOCAL | EDG_LINK_CLAIM), 0);
    caller_init(&c, &dev, &board, ke, hint, 0, 0, no_frames, 1);
    c.link |= EDG_LINK_CLAIM;
    CHECK_EQ(caller_plain(&c, EDG_GET, "/.well-known/core", NULL, NULL, 0), -1);
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, zero, 16), -1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), -1);
    edg_device_poll(&dev);
    CHECK_EQ(edg_device_news(&dev, news), 0);
    CHECK_EQ(edg_device_append(&dev, GREENHOUSE_EVENT, zero), EDG_ERR_CLOSED);
    CHECK_EQ(edg_device_factory_reset(&dev), EDG_ERR_ARGUMENT);
    CHECK_EQ(edg_device_handle(&dev, ping, sizeof ping, c.out, sizeof c.out, EDG_LINK_LOCAL | EDG_LINK_CLAIM), 0);
    CHECK_EQ(board.written, written);
}

/* Tables that do not fit are found, and the device stays off with them. */
static void tables(void)
{
    edg_log_spec logs[3];
    edg_function_spec functions[1];
    edg_service s = greenhouse_service;

    CHECK(edg_service_fits(&s));
    memcpy(logs, s.logs, sizeof logs);
    memcpy(functions, s.functions, sizeof functions);
    s.logs = logs;
    s.functions = functions;
    CHECK(edg_service_fits(&s));
    logs[0].capacity++;
    stays_off(&s);
    logs[0].capacity--;
    logs[0].sample = NULL;
    stays_off(&s);
    logs[0].period = 0;
    CHECK(edg_service_fits(&s));
    logs[1].capacity = 30;
    stays_off(&s);
    logs[1].capacity = 1;
    stays_off(&s);
    logs[1].capacity = 2;
    logs[1].size = EDG_MAX_ENTRY + 1;
    stays_off(&s);
    logs[1].size = 4;
    functions[0].log = 3;
    stays_off(&s);
    functions[0].log = 0; /* entries of 2 bytes, an argument of 1 */
    stays_off(&s);
    functions[0].log = 2;
    CHECK(edg_service_fits(&s));
    logs[2].flags = 0; /* the log of a function takes calls only */
    stays_off(&s);
    logs[2].flags = EDG_LOG_FUNCTION;
    logs[0].name = "a-name-of-more-than-31-characters";
    stays_off(&s);
    logs[0].name = "temperature";
    s.links = edg_links_text; /* and no text */
    stays_off(&s);
    s.links = edg_links_made;
    CHECK(edg_service_fits(&s));
    s.log_count = EDG_LOGS + 1;
    stays_off(&s);
}

static void messages(void)
{
    uint8_t ping[4] = {0x40, 0, 0x12, 0x34}, out[160];
    size_t n;

    boot();
    n = edg_device_handle(&dev, ping, 4, out, sizeof out, 0);
    CHECK(n == 4 && out[0] == 0x70 && out[1] == 0 && out[2] == 0x12 && out[3] == 0x34);
    ping[0] = 0x50; /* NON */
    CHECK_EQ(edg_device_handle(&dev, ping, 4, out, sizeof out, 0), 0);
    ping[0] = 0x60; /* ACK */
    CHECK_EQ(edg_device_handle(&dev, ping, 4, out, sizeof out, 0), 0);
    ping[0] = 0x40;
    ping[1] = 0x45; /* an answer to nothing */
    CHECK_EQ(edg_device_handle(&dev, ping, 4, out, sizeof out, 0), 4);
    CHECK_EQ(out[0], 0x70);
    ping[0] = 0x80; /* version 2 */
    CHECK_EQ(edg_device_handle(&dev, ping, 4, out, sizeof out, 0), 0);
    CHECK_EQ(edg_device_handle(&dev, ping, 3, out, sizeof out, 0), 0);
    ping[0] = 0x40;
    CHECK_EQ(edg_device_handle(&dev, ping, 4, out, EDG_OUT_MIN - 1, 0), 0);
    ping[0] = 0x49;
    CHECK_EQ(edg_device_handle(&dev, ping, 4, out, sizeof out, 0), 4); /* format error */
    CHECK_EQ(out[0], 0x70);

    caller_init(&c, &dev, &board, ke, hint, 0, 0, no_frames, 1);
    CHECK_EQ(caller_plain(&c, EDG_GET, "/nothing", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, 0x84);
    CHECK_EQ(caller_plain(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NEED_CAPABILITY);
    CHECK_EQ(caller_plain(&c, EDG_GET, "/h", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_METHOD);
    CHECK_EQ(caller_plain(&c, EDG_POST, "/h", NULL, zero, 16), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_MALFORMED);
}

static void core(void)
{
    static const char want[] = "</l/temperature>;rt=\"edg.log\";p=10;sz=2,</l/events>;rt=\"edg.log\";sz=4,</f/valve>;rt=\"edg.fn\";arg=\"u8:0..100\","
                               "</>;rt=\"edg.dev\";bd=\"posix\";fw=\"greenhouse/1.0\";v=1";
    /* GET /.well-known/core with Block2 as its last two bytes */
    uint8_t get[] = {0x40, 0x01, 0, 0, 0xBB, '.', 'w', 'e', 'l', 'l', '-', 'k', 'n', 'o', 'w', 'n', 0x04, 'c', 'o', 'r', 'e', 0xC1, 0};
    char text[400];
    uint8_t out[300];
    size_t n, got = 0, at;
    unsigned num, szx;
    edg_coap m;

    boot();
    /* Whole, where it fits. */
    n = edg_device_handle(&dev, get, sizeof get - 2, out, sizeof out, EDG_LINK_LOCAL);
    CHECK_EQ(edg_coap_parse(&m, out, (uint16_t)n), EDG_OK);
    CHECK_EQ(m.code, EDG_CONTENT);
    CHECK(m.payload_len == sizeof want - 1 && memcmp(m.payload, want, m.payload_len) == 0);
    /* In blocks of every size, asked for or not. */
    for (szx = 0; szx < 7; szx++) {
        got = 0;
        for (num = 0; num < 16; num++) {
            edg_option o;
            uint32_t block = 0xFFFF;

            get[3]++;
            get[sizeof get - 1] = (uint8_t)(num << 4 | szx);
            n = edg_device_handle(&dev, get, sizeof get, out, 160, EDG_LINK_LOCAL);
            CHECK_EQ(edg_coap_parse(&m, out, (uint16_t)n), EDG_OK);
            if (m.code != EDG_CONTENT)
                break;
            edg_option_first(&o, m.options, m.options_len);
            while (edg_option_next(&o) > 0)
                if (o.number == EDG_OPT_BLOCK2)
                    block = edg_option_uint(&o);
            if (szx < 4)
                CHECK_EQ(block & 7, szx);
            CHECK_EQ(block >> 4, num << szx >> (block & 7));
            at = (size_t)(block >> 4) << ((block & 7) + 4);
            memcpy(text + at, m.payload, m.payload_len);
            got = at + m.payload_len;
            if (!(block & 8))
                break;
            if (szx > (block & 7)) { /* the rest in the size that we were given */
                CHECK_EQ(num, 0);
                break;
            }
        }
        if (szx < 4)
            CHECK(got == sizeof want - 1 && memcmp(text, want, got) == 0);
    }
    get[3]++;
    get[sizeof get - 1] = 0xF4; /* beyond the end */
    (void)edg_device_handle(&dev, get, sizeof get, out, 160, EDG_LINK_LOCAL);
    CHECK_EQ(out[1], 0x80);
    get[3]++;
    get[sizeof get - 1] = 7; /* reserved */
    (void)edg_device_handle(&dev, get, sizeof get, out, 160, EDG_LINK_LOCAL);
    CHECK_EQ(out[1], 0x80);
    /* Towards strangers at most three times what they sent. */
    get[3]++;
    n = edg_device_handle(&dev, get, sizeof get - 2, out, sizeof out, 0);
    CHECK(n > 0 && n <= 3 * (sizeof get - 2));
}

static void session(void)
{
    uint8_t first[CALLER_MESSAGE];
    size_t n;

    boot();
    caller_init(&c, &dev, &board, ke, hint, 0, 0, no_frames, 1);
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, (const uint8_t *)"\x14", 1), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK(c.tagged);
    CHECK_EQ(c.slot, 0);
    CHECK_EQ(c.answer.payload[0], 20);
    CHECK_EQ(moves, 1);
    CHECK_EQ(valve(30), 0);
    CHECK_EQ(moves, 2);
    CHECK_EQ(house.position, 30);

    /* The same message ID and bytes: the same answer, and nothing runs. */
    memcpy(first, c.out, c.out_len);
    n = c.out_len;
    CHECK_EQ(caller_send(&c), 0);
    CHECK(c.out_len == n && memcmp(first, c.out, n) == 0);
    CHECK_EQ(moves, 2);
    /* A replay under a new message ID: the kept answer, and nothing runs. */
    board.tick += 50;
    CHECK_EQ(caller_again(&c), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK(memcmp(first + 4, c.out + 4, n - 4) == 0);
    CHECK_EQ(moves, 2);
    /* A flipped bit anywhere in what the tag covers: refused, and nothing runs. */
    {
        uint8_t good[CALLER_MESSAGE];
        size_t i, bit;

        CHECK_EQ(valve(31), 0);
        CHECK_EQ(moves, 3);
        memcpy(good, c.in, c.in_len);
        for (i = 6; i < c.in_len; i++)
            for (bit = 0; bit < 8; bit++) {
                memcpy(c.in, good, c.in_len);
                c.in[i] ^= (uint8_t)(1u << bit);
                edg_store16(c.in + 2, ++c.message_id);
                c.out_len = edg_device_handle(&dev, c.in, c.in_len, c.out, c.out_cap, c.link);
                CHECK(c.out_len > 0 && (c.out[1] >= 0x80 || c.out[1] == 0));
            }
        CHECK_EQ(moves, 3);
        memcpy(c.in, good, c.in_len);
    }
    /* Arguments. */
    CHECK_EQ(valve(100), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(valve(101), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_ARGUMENT);
    CHECK(c.tagged);
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_ARGUMENT);
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, zero, 2), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_ARGUMENT);
    {
        uint8_t large[EDG_MAX_PAYLOAD + 1] = {0};

        CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, large, sizeof large), 0);
        CHECK_EQ(caller_reason(&c), EDG_R_TOO_LARGE);
    }
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/window", NULL, zero, 1), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_FOUND);
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valv", NULL, zero, 1), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_FOUND);
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valves", NULL, zero, 1), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NOT_FOUND);
    CHECK_EQ(caller_call(&c, EDG_GET, "/f/valve", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_METHOD);
    CHECK(c.tagged);
    CHECK_EQ(moves, 4);
    /* Held back. */
    c.tick = board.tick;
    board.tick += 101;
    CHECK_EQ(valve(5), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_STALE);
    CHECK(c.tagged);
    CHECK_EQ(c.tick, board.tick);
    CHECK_EQ(valve(5), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(moves, 5);
    /* A reboot ends everything. */
    n = c.in_len;
    CHECK_EQ(edg_device_init(&dev, &board.platform, &greenhouse_service, &house), EDG_OK);
    CHECK_EQ(caller_again(&c), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NO_SESSION);
    CHECK(!c.tagged);
}

/* A NON request is answered by a NON with a message ID of the device's. */
static void non(void)
{
    uint16_t id;

    boot();
    caller_init(&c, &dev, &board, ke, hint, 0, 0, no_frames, 1);
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, (const uint8_t *)"\x14", 1), 0);
    CHECK_EQ(valve(1), 0);
    c.in[0] = 0x52;
    CHECK_EQ(caller_send(&c), 0);
    CHECK_EQ(c.answer.type, EDG_NON);
    id = c.answer.id;
    CHECK_EQ(caller_send(&c), 0);
    CHECK_EQ(c.answer.id, id);
    CHECK_EQ(moves, 2);
}

/* 1..4 frames of the longest form: kept as a digest, and demanded with every request. */
static void long_frames(void)
{
    /* limits salt, then read "temperature" or call "valve" 0..30; a second and third frame make it long */
    static const uint8_t frames[] = {
        30,   0x4C, 1,    2,    3,    4,    0x0F, 12,  1,   't', 'e', 'm', 'p', 'e', 'r', 'a', 't', 'u', 'r', 'e', 0x0E, 8,   'v', 'a', 'l', 'v', 'e',
        0x1C, 0,    0,    0,    30,   5,    0x4C, 9,   9,   9,   9,   2,    0x41, 50,
    };
    uint8_t fixed[sizeof frames];

    memcpy(fixed, frames, sizeof frames);
    fixed[0] = 31;
    fixed[sizeof frames - 9 + 0] = 5;
    boot();
    caller_init(&c, &dev, &board, ke, hint, 4, 0, fixed, sizeof fixed);
    c.hold = 50;
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, (const uint8_t *)"\x14", 1), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(c.slot, 1);
    CHECK_EQ(dev.slots[1].body_len, EDG_DIGEST);
    CHECK_EQ(valve(3), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NEED_FRAMES);
    c.send_frames = 1;
    CHECK_EQ(valve(3), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(valve(31), 0); /* every frame, every request */
    CHECK_EQ(caller_reason(&c), EDG_R_DENIED);
    CHECK_EQ(c.answer.payload[1], 1);
    CHECK_EQ(c.answer.payload[2], 3);
    c.hold = 51;
    CHECK_EQ(valve(3), 0);
    CHECK_EQ(c.answer.payload[1], 3);
    CHECK_EQ(c.answer.payload[2], 8);
    c.carried[sizeof fixed + 11] ^= 1; /* other frames than those it was opened with */
    CHECK_EQ(valve(3), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_TAG);
    CHECK_EQ(moves, 2);
}

/* Nothing that stood in the answer's buffer before the answer is left behind it: no key of the chain, whether the session opens or not. */
static void no_keys_left(void)
{
    size_t i;
    int bad;

    for (bad = 0; bad < 3; bad++) {
        boot();
        caller_init(&c, &dev, &board, ke, hint, 3, 0, no_frames, 1);
        if (bad == 2)
            c.ke[0] ^= 1; /* a tag that does not verify, after the whole chain was made */
        CHECK_EQ(caller_open(&c, EDG_POST, bad == 1 ? "/f/none" : "/f/valve", NULL, (const uint8_t *)"\x14", 1), 0);
        CHECK_EQ(caller_reason(&c), bad == 0 ? 0 : bad == 1 ? EDG_R_NOT_FOUND : EDG_R_TAG);
        CHECK(c.out_len < sizeof(edg_desk));
        for (i = c.out_len; i < sizeof(edg_desk); i++)
            CHECK_EQ(c.out[i], 0);
    }
}

/* Frames that come again though the slot keeps them: every byte must be as it was when the session opened, under however good a tag. */
static void kept_frames(void)
{
    static const uint8_t salt[] = {5, 0x4C, 1, 2, 3, 4};
    uint8_t i;

    boot();
    caller_init(&c, &dev, &board, ke, hint, 3, 0, salt, sizeof salt);
    CHECK_EQ(caller_open(&c, EDG_POST, "/f/valve", NULL, zero, 1), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    c.send_frames = 1;
    CHECK_EQ(valve(1), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    for (i = 0; i < c.carried_len; i++) {
        c.carried[i] ^= 1;
        CHECK_EQ(valve(2), 0);
        CHECK_EQ(caller_reason(&c), i == EDG_HEADER ? EDG_R_MALFORMED : EDG_R_TAG); /* the frame's length */
        c.carried[i] ^= 1;
    }
    CHECK_EQ(moves, 2);
}

/* A repeated request whose answer is not kept: a question, however short its answer; and told in the clear, since its nonce has been used. */
static void gone(void)
{
    uint8_t hidden;

    for (hidden = 0; hidden < 2; hidden++) {
        boot();
        caller_init(&c, &dev, &board, ke, hint, 3, 0, no_frames, 1);
        c.hidden = hidden;
        CHECK_EQ(caller_open(&c, EDG_GET, "/-", NULL, NULL, 0), 0);
        CHECK_EQ(c.code, 0x84);
        CHECK_EQ(caller_call(&c, EDG_GET, "/-", NULL, NULL, 0), 0);
        CHECK(c.code == 0x84 && c.tagged);
        CHECK_EQ(caller_again(&c), 0);
        CHECK(caller_reason(&c) == EDG_R_RESULT_GONE && c.tagged);
        CHECK_EQ(c.answer.payload_len, 1);
    }
}

/* Option 65001 of the request in c->in. */
static uint8_t *proof_of(caller *who)
{
    edg_coap m;
    edg_option o;

    CHECK_EQ(edg_coap_parse(&m, who->in, (uint16_t)who->in_len), EDG_OK);
    edg_option_first(&o, m.options, m.options_len);
    while (edg_option_next(&o) > 0 && o.number != EDG_OPT_REQUEST) {
    }
    return who->in + (o.value - who->in);
}

/* Sends what has been changed: the exact reason, without proof, and nothing runs. */
static void refused(uint8_t reason)
{
    unsigned before = moves;

    CHECK_EQ(caller_again(&c), 0);
    CHECK_EQ(caller_reason(&c), reason);
    CHECK(!c.tagged);
    CHECK_EQ(moves, before);
}

/* Every bit of a tag counts: of requests that the device has not seen. */
static void tags(void)
{
    static edg_device before;
    static caller sent;
    uint8_t percent = 1, i, bit;
    int opens;

    boot();
    caller_init(&c, &dev, &board, ke, hint, 3, 0, no_frames, 1);
    for (opens = 1; opens >= 0; opens--) {
        before = dev;
        CHECK_EQ(opens ? caller_open(&c, EDG_POST, "/f/valve", NULL, &percent, 1) : valve(2), 0);
        CHECK_EQ(c.code, EDG_CHANGED);
        dev = before;
        sent = c;
        for (i = 0; i < (opens ? 16 : 8); i++)
            for (bit = 0; bit < 8; bit++) {
                proof_of(&c)[(opens ? 32 + c.carried_len : 9) + i] ^= (uint8_t)(1u << bit);
                refused(EDG_R_TAG);
                c = sent;
                c.message_id = (uint16_t)(sent.message_id + 8 * i + bit);
            }
        CHECK_EQ(caller_again(&c), 0);
        CHECK_EQ(c.code, EDG_CHANGED);
    }
    CHECK_EQ(moves, 4);
}

/* What somebody on the way can make of what he has seen. */
static void attacks(void)
{
    static const uint8_t other_ke[32] = {8};
    static edg_device other;
    static greenhouse other_house;
    static bench other_board;
    static caller holder, first, good;
    uint8_t answer[17] = {0}, version;
    unsigned i;

    boot();
    bench_init(&other_board); /* another service, whose first slot is open too */
    bench_owner(&other_board, other_ke, hint, 1, zero);
    bench_boot(&other_board, 3);
    other_board.tick = 1000;
    memset(&other_house, 0, sizeof other_house);
    CHECK_EQ(edg_device_init(&other, &other_board.platform, &greenhouse_service, &other_house), EDG_OK);
    caller_init(&c, &other, &other_board, other_ke, hint, 0, 0, no_frames, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);

    caller_init(&holder, &dev, &board, ke, hint, 3, 0, no_frames, 1);
    caller_init(&c, &dev, &board, ke, hint, 3, 0, no_frames, 1); /* two who hold one capability */
    holder.nonce[0] = 77;
    CHECK_EQ(caller_open(&holder, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    CHECK(holder.slot != c.slot && c.code == EDG_CONTENT);
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/events", NULL, NULL, 0), 0);
    memcpy(answer, c.answer.options + 4, 14); /* its only option is 65000 */
    CHECK_EQ(answer[0], EDG_FORM_SESSION);

    c.dev = &other; /* the cross-service request */
    CHECK_EQ(valve(1), 0);
    first = c;
    CHECK_EQ(valve(2), 0);
    CHECK(caller_reason(&c) == EDG_R_NO_SESSION && other_house.count == 0);
    proof_of(&c)[1] = 0;
    CHECK_EQ(caller_again(&c), 0);
    CHECK(caller_reason(&c) == EDG_R_TAG && other_house.count == 0);
    c.dev = first.dev = &dev;
    proof_of(&c)[1] = c.slot;
    good = c;
    for (i = 0; i < 17; i += i == 8 ? 1 : 17) { /* the answer reflected: whole, then its tag only */
        memcpy(proof_of(&c) + (i == 0 ? 0 : 9), answer + (i == 0 ? 0 : 6), i == 0 ? 17 : 8);
        refused(EDG_R_TAG);
        c = good;
    }
    memcpy(proof_of(&c) + 9, proof_of(&first) + 9, 8); /* the tag of another request */
    refused(EDG_R_TAG);
    c = good;
    proof_of(&c)[1] = holder.slot;
    refused(EDG_R_TAG);
    proof_of(&c)[1] = EDG_SLOTS;
    refused(EDG_R_NO_SESSION);
    c = good;
    proof_of(&c)[0] |= 0x80; /* for a mirror */
    refused(EDG_R_MALFORMED);
    for (i = 0; i < 256; i++) {
        c = good;
        proof_of(&c)[0] = (uint8_t)i;
        if (i == EDG_FORM_SESSION)
            continue;
        refused(i == (EDG_FORM_SESSION | EDG_FORM_PRIVATE) ? EDG_R_OPTION : EDG_R_MALFORMED);
    }
    c = good;
    memset(proof_of(&c) + 2, 0, 4); /* sequence 0 */
    refused(EDG_R_MALFORMED);
    c = good;
    memset(proof_of(&c) + 2, 0xFF, 4); /* what has no tag moves no window */
    refused(EDG_R_TAG);
    c = good;
    CHECK_EQ(caller_again(&c), 0);
    CHECK(c.code == EDG_CHANGED && c.tagged && moves == 1);
    c = first; /* out of order, within the window */
    CHECK_EQ(caller_again(&c), 0);
    CHECK(c.code == EDG_CHANGED && c.tagged && moves == 2);
    c = good;
    refused(EDG_R_SEQUENCE);
    c = good;
    for (i = 0; i < 40; i++)
        CHECK_EQ(valve(3), 0);
    CHECK_EQ(moves, 42);
    good.message_id = first.message_id = (uint16_t)(c.message_id + 100);
    c = good; /* below the window */
    refused(EDG_R_SEQUENCE);
    c.message_id = (uint16_t)(c.message_id + 100);
    for (version = 0; version < 16; version++) {
        caller_init(&c, &dev, &board, ke, hint, 5, 0, no_frames, 1);
        c.message_id = (uint16_t)(4000 + version);
        c.carried[0] = (uint8_t)(version << 4 | 5);
        CHECK_EQ(caller_open(&c, EDG_GET, "/l/events", NULL, NULL, 0), version == 1 ? 0 : -1);
        CHECK_EQ(caller_reason(&c), version == 1 ? 0 : EDG_R_MALFORMED);
    }
}

static void news(void)
{
    uint8_t out[EDG_NEWS_MAX];

    boot();
    edg_device_poll(&dev);
    CHECK_EQ(edg_device_news(&dev, out), 6); /* the boot event */
    CHECK_EQ(edg_device_news(&dev, out), 0);
    board.tick += 100;
    edg_device_poll(&dev);
    CHECK_EQ(edg_device_news(&dev, out), 6);
    CHECK(memcmp(out, "\x50\x02", 2) == 0 && memcmp(out + 4, "\xB1u", 2) == 0);
    CHECK_EQ(edg_device_news(&dev, out), 0);
}

void test_device(void)
{
    tables();
    messages();
    core();
    session();
    non();
    long_frames();
    kept_frames();
    no_keys_left();
    gone();
    tags();
    attacks();
    news();
}
