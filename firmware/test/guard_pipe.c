/* The C verifier behind a pipe, so that another implementation can be held against it on the same bytes. One command a line on stdin, one line of answer on
 * stdout. Numbers are decimal, bytes hex; the order of the values does not matter.
 *
 *     init ke=HEX hint=HEX epoch=N boot=N generations=HEX [closed=N]
 *         a verifier in which no session is open; closed 15: unclaimed, 16: boot counter lost       ok slots=N carried=N cells=N buckets=N program=N private=N
 *     app code=N payload=[HEX]
 *         what stands behind it answers admitted requests with from now on                          ok
 *     msg tick=N unix=N message=HEX
 *         one CoAP message at that time (unix 0: clock unknown)                                      answer=[HEX] ran=N [op=N slot=N name=[HEX]]
 *     generation branch=N generation=N
 *         the branch's sessions end                                                                  ok
 *     cell cell=N identity=HEX        what POST /n does                                              ok
 *     count cell=N                    what the cell holds; identity zeros: free                      ok identity=HEX count=N
 *     epoch epoch=N r=HEX             what POST /e does, r in clear                                  ok
 *
 * An empty answer is no answer. Deduplication by message ID is at work: use a new one for every message. A line that is none of these is answered
 * "error WHAT"; end of input ends the program. */

#include "../greenhouse/greenhouse.h"
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE = 65536, BYTES = 4096, OUT = 4096 };

static char line[LINE], text[2 * OUT + 256];
static uint8_t message[BYTES], out[OUT];
static edg_device dev;
static bench board;
static greenhouse house;
static int ready;

static struct {
    uint8_t payload[BYTES];
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
    a->len = (uint16_t)(app.len < (size_t)(a->cap - a->payload) ? app.len : (size_t)(a->cap - a->payload));
    memcpy(a->out + a->payload, app.payload, a->len);
    return 0;
}

static const char *find(const char *name)
{
    size_t n = strlen(name);
    const char *p = line;

    while ((p = strchr(p, ' ')) != NULL) {
        p++;
        if (strncmp(p, name, n) == 0 && p[n] == '=')
            return p + n + 1;
    }
    return NULL;
}

static int number(const char *name, uint32_t *value)
{
    const char *p = find(name);
    char *end;
    unsigned long long v;

    if (p == NULL || *p < '0' || *p > '9')
        return 0;
    v = strtoull(p, &end, 10);
    *value = (uint32_t)v;
    return v <= 0xFFFFFFFFULL && (*end == 0 || *end == ' ' || *end == '\n');
}

static long bytes(const char *name, uint8_t *to, size_t cap)
{
    const char *p = find(name);

    return p != NULL ? bench_hex(p, to, cap) : -1;
}

static const char *init(void)
{
    uint8_t ke[32], hint[4], generations[16];
    uint32_t epoch, boot, closed = 0;

    if (bytes("ke", ke, 32) != 32 || bytes("hint", hint, 4) != 4 || bytes("generations", generations, 16) != 16 || !number("epoch", &epoch) ||
        epoch > 0xFFFF || !number("boot", &boot) || boot == 0 || (find("closed") != NULL && !number("closed", &closed)))
        return "error init";
    bench_init(&board);
    if (closed != EDG_R_UNCLAIMED)
        bench_owner(&board, ke, hint, (uint16_t)epoch, generations);
    if (closed != EDG_R_BOOT_LOST)
        bench_boot(&board, boot);
    memset(&house, 0, sizeof house);
    memset(&app, 0, sizeof app);
    app.code = EDG_CHANGED;
    ready = edg_device_init(&dev, &board.platform, &greenhouse_service, &house) == EDG_OK;
    if (!ready)
        return "error init";
    (void)snprintf(text, sizeof text, "ok slots=%d carried=%d cells=%d buckets=%d program=%d private=%d", EDG_SLOTS, EDG_MAX_CARRIED, EDG_CELLS,
                   EDG_BUCKETS, EDG_PROGRAM, EDG_PRIVACY);
    return text;
}

static const char *set_app(void)
{
    uint32_t code;
    long n = bytes("payload", message, sizeof message);

    if (!number("code", &code) || code > 255 || n < 0)
        return "error app";
    app.code = (uint8_t)code;
    app.len = (size_t)n;
    memcpy(app.payload, message, app.len);
    return "ok";
}

static const char *take(void)
{
    uint32_t tick, unix_seconds;
    long n = bytes("message", message, sizeof message);
    uint8_t *exact;
    size_t len, at;

    if (n < 0 || !number("tick", &tick) || !number("unix", &unix_seconds))
        return "error msg";
    board.tick = tick;
    dev.clock_unix = unix_seconds;
    dev.clock_tick = tick;
    dev.flags = (uint8_t)(unix_seconds != 0 ? dev.flags | EDG_CLOCK_KNOWN : dev.flags & ~EDG_CLOCK_KNOWN);
    app.runs = 0;
    exact = malloc((size_t)n + 1); /* so that the sanitizer sees a byte read too far */
    if (exact == NULL)
        return "error memory";
    memcpy(exact + 1, message, (size_t)n);
    len = edg_device_handle(&dev, exact + 1, (size_t)n, out, sizeof out, EDG_LINK_LOCAL);
    free(exact);
    memcpy(text, "answer=", 7);
    bench_put_hex(text + 7, out, len);
    at = strlen(text);
    (void)snprintf(text + at, sizeof text - at, " ran=%u", app.runs);
    if (app.runs > 0) {
        at = strlen(text);
        (void)snprintf(text + at, sizeof text - at, " op=%u slot=%u name=", app.op, app.slot);
        at = strlen(text);
        if (sizeof text - at > 2 * sizeof app.name)
            bench_put_hex(text + at, app.name, app.name_len);
    }
    return text;
}

static const char *generation(void)
{
    uint32_t branch, value;

    if (!number("branch", &branch) || branch > 15 || !number("generation", &value) || value > 255 ||
        edg_owner_set_generation(&dev, (uint8_t)branch, (uint8_t)value) != EDG_OK)
        return "error generation";
    edg_slot_close(&dev, (uint16_t)(1u << branch));
    return "ok";
}

static const char *cell(void)
{
    uint8_t identity[8];
    uint32_t n;

    if (!number("cell", &n) || n >= EDG_CELLS || bytes("identity", identity, 8) != 8 || edg_count_reserve(&dev, (uint8_t)n, identity) != EDG_OK)
        return "error cell";
    return "ok";
}

static const char *count(void)
{
    uint8_t identity[8] = {0};
    const uint8_t *record;
    uint32_t n;
    int value;

    if (!number("cell", &n) || n >= EDG_CELLS)
        return "error count";
    record = board.nv + EDG_NV_CELLS + 16 * n;
    value = 0;
    if (edg_count_is(&dev, (uint8_t)n, record) == 1) {
        memcpy(identity, record, 8);
        value = edg_count_get(&dev, (uint8_t)n);
    }
    memcpy(text, "ok identity=", 12);
    bench_put_hex(text + 12, identity, 8);
    (void)snprintf(text + 28, sizeof text - 28, " count=%d", value);
    return text;
}

static const char *epoch(void)
{
    uint8_t r[32];
    uint32_t n;

    if (!number("epoch", &n) || n > 0xFFFF || bytes("r", r, 32) != 32 || edg_epoch_raise(&dev, (uint16_t)n, r) != EDG_OK)
        return "error epoch";
    edg_slot_close(&dev, dev.closing);
    dev.closing = 0;
    return "ok";
}

static int is(const char *word)
{
    size_t n = strlen(word);

    return strncmp(line, word, n) == 0 && (line[n] == ' ' || line[n] == '\n' || line[n] == 0);
}

int main(void)
{
    while (fgets(line, sizeof line, stdin) != NULL) {
        const char *answer = "error command";

        if (is("init"))
            answer = init();
        else if (!ready)
            answer = "error init first";
        else if (is("app"))
            answer = set_app();
        else if (is("msg"))
            answer = take();
        else if (is("generation"))
            answer = generation();
        else if (is("cell"))
            answer = cell();
        else if (is("count"))
            answer = count();
        else if (is("epoch"))
            answer = epoch();
        if (printf("%s\n", answer) < 0 || fflush(stdout) != 0)
            return 1;
    }
    return 0;
}
