/* Reads capability/testdata/vectors.txt and holds the core against every line of it. What stands behind the guard is replaced: this file brings its own
 * edg_act (the binary is linked without core/act.c), which answers as the vectors say. */

#include "../greenhouse/greenhouse.h"
#include "../port/posix/setupcode.h"
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE = 16384, VALUE = 2048, OUT = 1152 };

static char line[LINE];
static unsigned long failures, checked, left_out;

/* ---- a line's values ---- */

static const char *find(const char *name)
{
    size_t n = strlen(name);
    const char *p = line;

    while ((p = strchr(p, ' ')) != NULL) {
        p++;
        if (strncmp(p, name, n) == 0 && p[n] == '=')
            return p + n + 1;
    }
    (void)fprintf(stderr, "vectors: no %s in: %.80s\n", name, line);
    exit(1);
}

static size_t bytes(const char *name, uint8_t *out, size_t cap)
{
    long n = bench_hex(find(name), out, cap);

    if (n < 0) {
        (void)fprintf(stderr, "vectors: bad %s in: %.80s\n", name, line);
        exit(1);
    }
    return (size_t)n;
}

static uint32_t number(const char *name)
{
    uint8_t b[4];
    size_t n = bytes(name, b, sizeof b), i;
    uint32_t v = 0;

    for (i = 0; i < n; i++)
        v = v << 8 | b[i];
    return v;
}

static void expect(const char *what, const uint8_t *got, size_t n, const char *name)
{
    uint8_t want[VALUE];
    char text[2 * VALUE + 1];
    size_t m = bytes(name, want, sizeof want);

    checked++;
    if (n == m && (n == 0 || memcmp(got, want, n) == 0))
        return;
    failures++;
    bench_put_hex(text, got, n);
    (void)fprintf(stderr, "FAIL %.60s: %s = %s\n     want %.400s\n", line, what, text, find(name));
}

static void expect_number(const char *what, uint32_t got, const char *name)
{
    uint32_t want = number(name);

    checked++;
    if (got == want)
        return;
    failures++;
    (void)fprintf(stderr, "FAIL %.60s: %s = %lu, want %lu\n", line, what, (unsigned long)got, (unsigned long)want);
}

/* ---- keys and tags ---- */

static edg_device dev;
static uint8_t out[OUT];
static edg_pads pads;

static void begin(const uint8_t *key, uint8_t label)
{
    edg_key_ready(&dev, &pads, key);
    edg_mac_begin(&dev, &pads, label);
}

static void end(uint8_t *to)
{
    edg_mac_end(&dev, &pads);
    memcpy(to, edg_digest(&dev), 32);
}

/* That a key which was made ready is this one. */
static void expect_ready(const char *what, const edg_pads *got, const char *name)
{
    uint8_t key[32];
    edg_device desk;

    bytes(name, key, sizeof key);
    edg_key_ready(&desk, &pads, key);
    checked++;
    if (memcmp(&pads, got, sizeof pads) == 0)
        return;
    failures++;
    (void)fprintf(stderr, "FAIL %.60s: %s\n", line, what);
}

static void take_branch(void)
{
    uint8_t ke[32], kb[32];

    bytes("ke", ke, sizeof ke);
    begin(ke, EDG_LABEL_ROOT);
    edg_mac_put16(&dev, (uint16_t)number("epoch"));
    edg_mac_put8(&dev, (uint8_t)number("branch"));
    edg_mac_put8(&dev, (uint8_t)number("generation"));
    end(kb);
    expect("kb", kb, sizeof kb, "kb");
}

static void take_chain(void)
{
    uint8_t key[32], carried[VALUE];
    size_t n = bytes("carried", carried, sizeof carried), at = EDG_HEADER;
    char name[3] = "k0";

    bytes("kb", key, sizeof key);
    if (!edg_carried_formed(carried, (uint8_t)n)) {
        failures++;
        (void)fprintf(stderr, "FAIL %.60s: refused\n", line);
    }
    for (; at < n; at += 1u + carried[at], name[1]++) {
        begin(key, at == EDG_HEADER ? EDG_LABEL_HEAD : EDG_LABEL_FRAME);
        if (at == EDG_HEADER) {
            edg_mac_put8(&dev, EDG_HEADER);
            edg_mac_put(&dev, carried, EDG_HEADER);
        }
        edg_mac_put(&dev, carried + at, (uint16_t)(1u + carried[at]));
        end(key);
        expect(name, key, sizeof key, name);
    }
}

static void take_cookie(void)
{
    uint8_t nonce[8], header[12], cookie[16];
    bench b;
    uint8_t ke[32], none[16] = {0};

    bench_init(&b);
    bytes("ke", ke, sizeof ke);
    bench_owner(&b, ke, none, 1, none);
    memset(&dev, 0, sizeof dev);
    dev.platform = &b.platform;
    dev.boot = number("boot");
    (void)edg_cookie_key(&dev);
    expect_ready("cookie key", &dev.cookie, "key");
    bytes("nonce", nonce, sizeof nonce);
    bytes("header", header, sizeof header);
    dev.now = number("tick");
    edg_cookie_make(&dev, nonce, header, cookie);
    expect("cookie", cookie, sizeof cookie, "cookie");
    dev.now = number("tick");
    if (!edg_cookie_good(&dev, nonce, header, cookie)) {
        failures++;
        (void)fprintf(stderr, "FAIL %.60s: own cookie refused\n", line);
    }
}

static void take_session(void)
{
    uint8_t key[32], b[VALUE];
    size_t n;

    bytes("k", key, sizeof key);
    begin(key, EDG_LABEL_SESSION);
    n = bytes("nonce", b, sizeof b);
    edg_mac_put(&dev, b, (uint16_t)n);
    n = bytes("cookie", b, sizeof b);
    edg_mac_put(&dev, b, (uint16_t)n);
    end(key);
    expect("ks", key, sizeof key, "ks");
    n = bytes("carried", b, sizeof b);
    begin(key, EDG_LABEL_FRAMES);
    edg_mac_put8(&dev, (uint8_t)n);
    edg_mac_put(&dev, b, (uint16_t)n);
    end(key);
    expect("digest", key, EDG_DIGEST_SIZE, "digest");
}

static void take_request(void)
{
    uint8_t key[32], message[VALUE], tag[16];
    size_t n = bytes("message", message, sizeof message), m = bytes("tag", tag, sizeof tag);
    edg_coap c;

    bytes("ks", key, sizeof key);
    if (edg_coap_parse(&c, message, (uint16_t)n) != EDG_OK) {
        failures++;
        return;
    }
    begin(key, EDG_LABEL_REQUEST);
    edg_mac_put8(&dev, (uint8_t)number("slot"));
    edg_mac_put32(&dev, number("sequence"));
    edg_mac_put32(&dev, number("tick"));
    edg_mac_put8(&dev, (uint8_t)number("hold"));
    edg_mac_message(&dev, c.code, c.options, c.options_len, c.payload, c.payload_len, EDG_O_REQUEST, (uint8_t)m);
    end(key);
    expect("tag", key, m, "tag");
}

static void take_response(void)
{
    uint8_t key[32], message[VALUE], request_tag[16];
    size_t n = bytes("message", message, sizeof message), m = bytes("request_tag", request_tag, sizeof request_tag);
    uint8_t tag[16];
    size_t cut = bytes("tag", tag, sizeof tag);
    edg_coap c;

    bytes("ks", key, sizeof key);
    if (edg_coap_parse(&c, message, (uint16_t)n) != EDG_OK) {
        failures++;
        return;
    }
    begin(key, EDG_LABEL_RESPONSE);
    edg_mac_put32(&dev, number("sequence"));
    edg_mac_put32(&dev, number("notification"));
    edg_mac_put(&dev, request_tag, (uint16_t)m);
    edg_mac_put32(&dev, number("tick"));
    edg_mac_put8(&dev, (uint8_t)number("slot"));
    edg_mac_message(&dev, c.code, c.options, c.options_len, c.payload, c.payload_len, EDG_O_RESPONSE, (uint8_t)cut);
    end(key);
    expect("tag", key, cut, "tag");
}

/* ---- reading ---- */

/* GET /l/x with the option value: what the core makes of it. */
static void take_proof(void)
{
    uint8_t message[VALUE], value[VALUE];
    size_t n = bytes("value", value, sizeof value), at = 0;
    edg_request r;
    uint8_t reason;

    if (number("mirror") || EDG_MAX_CARRIED < 207) {
        left_out++;
        return;
    }
    message[at++] = 0x40;
    message[at++] = EDG_GET;
    message[at++] = 0;
    message[at++] = 0;
    message[at++] = 0xB1;
    message[at++] = 'l';
    message[at++] = 0x01;
    message[at++] = 'x';
    message[at++] = n < 13 ? (uint8_t)(0xE0 | n) : n < 269 ? 0xED : 0xEE; /* delta 65001 - 11 */
    edg_store16(message + at, 65001u - 11u - 269u);
    at += 2;
    if (n >= 269) {
        edg_store16(message + at, (uint16_t)(n - 269));
        at += 2;
    } else if (n >= 13) {
        message[at++] = (uint8_t)(n - 13);
    }
    memcpy(message + at, value, n);
    at += n;
    if (edg_coap_parse(&r.m, message, (uint16_t)at) != EDG_OK) {
        failures++;
        return;
    }
    reason = edg_request_read(&r);
    expect_number("reason", reason, "reason");
    if (reason != 0)
        return;
    expect_number("form", r.proof[0], "form");
    expect_number("slot", r.proof[1], "slot");
    expect_number("sequence", r.sequence, "sequence");
    expect_number("hold", r.hold, "hold");
    if (r.proof[0] != EDG_FORM_OPEN)
        expect_number("tick", edg_load16(r.proof + 6), "tick16");
    expect("carried", r.carried, r.carried_len, "carried");
    expect("tag", r.tag, r.proof[0] == EDG_FORM_OPEN ? 16 : 8, "tag");
}

static void take_evaluate(void)
{
    static const uint8_t nobody[32];
    uint8_t peer[32];
    uint8_t carried[VALUE], name[VALUE], payload[VALUE];
    size_t n = bytes("frames", carried + EDG_HEADER, sizeof carried - EDG_HEADER);
    edg_request r;
    uint8_t reason;

    if (bytes("peer", peer, sizeof peer) != sizeof peer || memcmp(peer, nobody, sizeof peer) != 0) {
        left_out++; /* nobody is known here */
        return;
    }
    memset(&r, 0, sizeof r);
    memset(&dev, 0, sizeof dev);
#if EDG_PROGRAM
    r.scratch = out;
#endif
    r.op = (uint8_t)number("operation");
    r.name = name;
    r.name_len = (uint8_t)bytes("name", name, sizeof name);
    r.m.payload = payload;
    r.m.payload_len = (uint16_t)bytes("payload", payload, sizeof payload);
    r.hold = (uint8_t)number("hold");
    if (number("named")) {
        uint32_t count = number("to") - number("from") + 1;

        r.query = EDG_Q_FROM;
        r.from = number("from");
        if (number("to") != 0xFFFFFFFFUL || r.from > 0xFFFFFFFFUL - 254) {
            r.query |= EDG_Q_COUNT;
            r.count = count > 255 ? 255 : (uint8_t)count;
        }
    }
    dev.boot = number("boot");
    dev.clock_unix = number("unix");
    dev.clock_tick = number("tick");
    dev.flags = dev.clock_unix != 0 ? EDG_CLOCK_KNOWN : 0;
    dev.now = number("tick");
    reason = edg_frames_hold(&dev, &r, &dev.slots[0], carried + EDG_HEADER, (uint8_t)n);
    expect_number("reason", reason, "reason");
    if (reason != 0) {
        expect_number("frame", r.frame, "frame");
        expect_number("type", r.type, "type");
    }
}

static void take_setup(void)
{
    uint8_t text[VALUE], key[64];
    size_t n = bytes("text", text, sizeof text - 1);
    edg_setup_code code;
    int good;

    text[n] = 0;
    good = memchr(text, 0, n) == NULL && edg_setup_code_parse((const char *)text, &code) == EDG_OK;
    expect_number("good", (uint32_t)good, "good");
    if (good) {
        bench b;

        expect("device", code.id, 4, "device");
        expect("seed", code.seed, 16, "seed");
        bench_init(&b);
        if (bytes("factory_key", key, sizeof key) == 32) {
            (void)edg_factory_provision(&b.platform, code.id, code.seed);
            expect("factory key", b.nv + EDG_NV_FACTORY + 6, 32, "factory_key");
        }
    }
}

/* ---- transcripts ---- */

static bench board;
static greenhouse house;

static struct {
    uint8_t payload[VALUE];
    size_t len;
    uint8_t code;
    unsigned runs;
    uint8_t op, slot, name_len;
    uint8_t name[32];
} app;

uint8_t edg_act(edg_device *d, edg_answer *a, const edg_request *r)
{
    (void)d;
    app.runs++;
    app.op = r->op;
    app.slot = r->slot;
    app.name_len = r->name_len;
    if (r->name_len > 0)
        memcpy(app.name, r->name, r->name_len);
    a->code = app.code;
    memcpy(a->out + a->payload, app.payload, app.len);
    a->len = (uint16_t)app.len;
    return 0;
}

static int begin_guard(void)
{
    uint8_t ke[32], hint[4], generations[16];
    uint32_t closed = number("closed");

    if (number("mirror") || number("private") != EDG_PRIVACY || number("buckets") != EDG_BUCKETS || !number("cells") || number("slots") != EDG_SLOTS || number("max_carried") != EDG_MAX_CARRIED)
        return 0;
    bench_init(&board);
    bytes("ke", ke, sizeof ke);
    bytes("hint", hint, sizeof hint);
    bytes("generations", generations, sizeof generations);
    if (closed != EDG_R_UNCLAIMED)
        bench_owner(&board, ke, hint, (uint16_t)number("epoch"), generations);
    if (closed != EDG_R_BOOT_LOST)
        bench_boot(&board, number("boot"));
    memset(&house, 0, sizeof house);
    if (edg_device_init(&dev, &board.platform, &greenhouse_service, &house) != EDG_OK) {
        failures++;
        return 0;
    }
    if (closed == 0)
        expect_ready("cookie key", &dev.cookie, "cookie_key");
    return 1;
}

static void take_step(void)
{
    uint8_t request[VALUE];
    size_t n = bytes("request", request, sizeof request);

    board.tick = number("tick");
    dev.clock_unix = number("unix");
    dev.clock_tick = board.tick;
    dev.flags = (uint8_t)(dev.clock_unix != 0 ? dev.flags | EDG_CLOCK_KNOWN : dev.flags & ~EDG_CLOCK_KNOWN);
    app.code = (uint8_t)number("app_code");
    app.len = bytes("app_payload", app.payload, sizeof app.payload);
    app.runs = 0;
    n = edg_device_handle(&dev, request, n, out, sizeof out, EDG_LINK_LOCAL);
    expect("response", out, n, "response");
    expect_number("admitted", app.runs, "admitted");
    if (app.runs == 1) {
        expect_number("operation", app.op, "operation");
        expect_number("slot", app.slot, "slot");
        expect("name", app.name, app.name_len, "name");
    }
}

static void take_generation(void)
{
    uint8_t branch = (uint8_t)number("branch");

    if (edg_owner_set_generation(&dev, branch, (uint8_t)number("generation")) != EDG_OK)
        failures++;
    edg_slot_close(&dev, (uint16_t)(1u << branch));
}

static void take_cell(void)
{
    uint8_t identity[8];

    bytes("identity", identity, sizeof identity);
    if (edg_count_reserve(&dev, (uint8_t)number("cell"), identity) != EDG_OK)
        failures++;
}

static void take_count(void)
{
    static const uint8_t nobody[8];
    uint8_t identity[8];
    uint8_t cell = (uint8_t)number("cell");

    bytes("identity", identity, sizeof identity);
    checked++;
    if (edg_count_is(&dev, cell, identity) == 1)
        expect_number("count", (uint32_t)edg_count_get(&dev, cell), "count");
    else if (memcmp(identity, nobody, sizeof identity) != 0 || edg_count_is(&dev, cell, board.nv + EDG_NV_CELLS + 16 * cell) != 0) {
        failures++;
        (void)fprintf(stderr, "FAIL %.60s: the cell is another's\n", line);
    }
}

static void take_epoch(void)
{
    uint8_t r[32];

    bytes("r", r, sizeof r);
    if (edg_epoch_raise(&dev, (uint16_t)number("epoch"), r) != EDG_OK)
        failures++;
    edg_slot_close(&dev, dev.closing);
    dev.closing = 0;
    expect("ke", board.nv + EDG_NV_OWNER + 24, 32, "ke");
}

/* ---- claim ---- */

static char claim_board[32];
static edg_service claim_service;

static int begin_claim(void)
{
    uint8_t *record = board.nv + EDG_NV_FACTORY;
    uint8_t *count = board.nv + EDG_NV_COUNT;

    bench_init(&board);
    record[0] = 0xE5;
    record[1] = 0xF1;
    bytes("device", record + 2, 4);
    bytes("factory_key", record + 6, 32);
    edg_store16(record + 38, edg_crc16(record, 38));
    edg_store32(count, number("count"));
    edg_store16(count + 4, edg_crc16(count, 4));
    bench_boot(&board, number("boot"));
    claim_service = greenhouse_service;
    claim_board[bytes("board", (uint8_t *)claim_board, sizeof claim_board - 1)] = 0;
    claim_service.board = claim_board;
    memset(&house, 0, sizeof house);
    return edg_device_init(&dev, &board.platform, &claim_service, &house) == EDG_OK;
}

static void take_claim_step(void)
{
    static uint16_t id = 0;
    uint8_t message[VALUE] = {0x40, EDG_POST, 0, 0, 0xB1, 'k', 0xFF};
    uint8_t none[32] = {0};
    size_t n = bytes("payload", message + 7, sizeof message - 7);
    edg_coap c;

    board.tick = number("tick");
    edg_store16(message + 2, ++id);
    n = edg_device_handle(&dev, message, n > 0 ? n + 7 : 6, out, sizeof out, EDG_LINK_CLAIM);
    if (n == 0 || edg_coap_parse(&c, out, (uint16_t)n) != EDG_OK) {
        failures++;
        return;
    }
    expect_number("reason", c.code == EDG_CHANGED ? 0 : c.payload[0], "reason");
    expect("answer", c.payload, c.code == EDG_CHANGED ? c.payload_len : 0, "answer");
    expect_number("claimed", (uint32_t)edg_device_claimed(&dev), "claimed");
    expect("hint", dev.owner, 4, "hint");
    expect("key", edg_device_claimed(&dev) ? board.nv + EDG_NV_OWNER + 24 : none, 32, "key");
}

static int starts(const char *word)
{
    size_t n = strlen(word);

    return strncmp(line, word, n) == 0 && line[n] == ' ';
}

int main(int argc, char **argv)
{
    static const struct {
        const char *kind;
        void (*take)(void);
    } kinds[] = {
        {"branch", take_branch},   {"chain", take_chain}, {"cookie", take_cookie},     {"session", take_session}, {"request", take_request},
        {"response", take_response}, {"proof", take_proof}, {"evaluate", take_evaluate}, {"setup", take_setup},
    };
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    int in_guard = 0, in_claim = 0;
    unsigned long lines = 0;
    size_t i;

    if (f == NULL) {
        (void)fprintf(stderr, "usage: vectors FILE\n");
        return 2;
    }
    while (fgets(line, sizeof line, f) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        lines++;
        if (starts("guard"))
            in_guard = begin_guard();
        else if (starts("claimable"))
            in_claim = begin_claim();
        else if (starts("end"))
            in_guard = in_claim = 0;
        else if (starts("step") && in_claim)
            take_claim_step();
        else if (starts("step") && in_guard)
            take_step();
        else if (starts("generation") && in_guard)
            take_generation();
        else if (starts("cell") && in_guard)
            take_cell();
        else if (starts("count") && in_guard)
            take_count();
        else if (starts("epoch") && in_guard)
            take_epoch();
        else if (starts("step") || starts("generation") || starts("token") || starts("cell") || starts("count") || starts("epoch"))
            left_out++;
        for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
            if (starts(kinds[i].kind))
                kinds[i].take();
    }
    (void)fclose(f);
    printf("vectors: slots %d, carried %d: %lu lines, %lu left out, %lu comparisons, %lu failures\n", EDG_SLOTS, EDG_MAX_CARRIED, lines, left_out,
           checked, failures);
    return failures > 0 || checked == 0;
}
