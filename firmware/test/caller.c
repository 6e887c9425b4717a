#include "caller.h"

#include "check.h"

void caller_mac_begin(caller *c, const uint8_t key[32], uint8_t label)
{
    edg_key_ready(&c->desk, &c->pads, key);
    edg_mac_begin(&c->desk, &c->pads, label);
}

void caller_mac_end(caller *c, uint8_t out[32])
{
    edg_mac_end(&c->desk, &c->pads);
    memcpy(out, edg_digest(&c->desk), 32);
}

static size_t put_option(uint8_t *p, uint16_t *last, uint16_t number, const void *value, size_t n)
{
    uint16_t delta = (uint16_t)(number - *last);
    size_t at = 1;

    *last = number;
    p[0] = (uint8_t)((delta < 13 ? delta : delta < 269 ? 13 : 14) << 4);
    p[0] |= (uint8_t)(n < 13 ? n : n < 269 ? 13 : 14);
    if (delta >= 269) {
        edg_store16(p + at, (uint16_t)(delta - 269));
        at += 2;
    } else if (delta >= 13) {
        p[at++] = (uint8_t)(delta - 13);
    }
    if (n >= 269) {
        edg_store16(p + at, (uint16_t)(n - 269));
        at += 2;
    } else if (n >= 13) {
        p[at++] = (uint8_t)(n - 13);
    }
    memcpy(p + at, value, n);
    return at + n;
}

void caller_init(caller *c, edg_device *dev, bench *board, const uint8_t ke[32], const uint8_t hint[4], uint8_t branch, uint8_t generation,
                 const uint8_t *frames, uint8_t n)
{
    memset(c, 0, sizeof *c);
    c->dev = dev;
    c->board = board;
    memcpy(c->ke, ke, 32);
    memcpy(c->hint, hint, 4);
    c->carried[0] = (uint8_t)(0x10 | branch);
    memcpy(c->carried + 1, hint, 4);
    c->carried[6] = 1; /* epoch */
    c->carried[7] = generation;
    if (branch != 0)
        memset(c->carried + 8, 0xC0 + branch, 4);
    memcpy(c->carried + 12, frames, n);
    c->carried_len = (uint8_t)(12 + n);
    c->hold = 100;
    c->out_cap = EDG_OUT_MIN;
    c->link = EDG_LINK_LOCAL;
}

static size_t begin(caller *c, uint8_t code, const char *path, const char *query, uint16_t *last)
{
    size_t at = 4;

    c->in[0] = 0x42;
    c->in[1] = code;
    edg_store16(c->in + 2, ++c->message_id);
    c->in[at++] = 0xAB;
    c->in[at++] = (uint8_t)c->message_id;
    *last = 0;
    while (*path == '/') {
        const char *end = strchr(path + 1, '/');
        size_t n = end != NULL ? (size_t)(end - path - 1) : strlen(path + 1);

        at += put_option(c->in + at, last, EDG_OPT_URI_PATH, path + 1, n);
        path += 1 + n;
    }
    while (query != NULL && *query != 0) {
        const char *end = strchr(query, '&');
        size_t n = end != NULL ? (size_t)(end - query) : strlen(query);

        at += put_option(c->in + at, last, EDG_OPT_URI_QUERY, query, n);
        query += end != NULL ? n + 1 : n;
    }
    return at;
}

static void end(caller *c, size_t at, const uint8_t *payload, size_t n)
{
    if (n > 0) {
        c->in[at++] = 0xFF;
        memcpy(c->in + at, payload, n);
    }
    c->in_len = at + n;
}

static int opens(const uint8_t *proof) { return (proof[0] & ~EDG_FORM_PRIVATE) == EDG_FORM_OPEN; }

/* Key and nonce of one direction of a private exchange. */
static void private_key(caller *c, uint8_t direction, uint8_t key[16], uint8_t nonce[16])
{
    uint8_t sum[32];

    caller_mac_begin(c, c->ks, EDG_LABEL_PRIVATE);
    edg_mac_put8(&c->desk, direction);
    caller_mac_end(c, sum);
    memcpy(key, sum, 16);
    memset(nonce, 0, 16);
    edg_store32(nonce, c->sequence);
}

/* Makes the request that stands in c->in up to `at`, with its payload, that of an outer one; its length in `text`. */
static size_t hide(caller *c, size_t at, const uint8_t *payload, size_t n, uint8_t *text)
{
    uint8_t key[16], nonce[16], tag[16];
    size_t len = 1 + at - 6;

    text[0] = c->in[1];
    memcpy(text + 1, c->in + 6, at - 6);
    if (n > 0) {
        text[len++] = 0xFF;
        memcpy(text + len, payload, n);
        len += n;
    }
    private_key(c, 0, key, nonce);
    edg_ascon_seal(key, nonce, text, (uint16_t)len, tag);
    memcpy(text + len, tag, EDG_PRIVATE_TAG);
    c->in[1] = EDG_POST;
    return len + EDG_PRIVATE_TAG;
}

/* The answer to a private request becomes what it holds. */
static void reveal(caller *c)
{
    uint8_t key[16], nonce[16], tag[16];
    uint8_t *text = c->out + (c->answer.payload - c->out);
    uint16_t n = c->answer.payload_len;

    if (c->code != EDG_CHANGED || n < 1 + EDG_PRIVATE_TAG)
        return;
    n = (uint16_t)(n - EDG_PRIVATE_TAG);
    private_key(c, 1, key, nonce);
    edg_ascon_open(key, nonce, text, n, tag);
    CHECK(memcmp(tag, text + n, EDG_PRIVATE_TAG) == 0);
    c->code = text[0];
}

/* Checks the answer's form, and its tag if it has one. */
static void read_answer(caller *c)
{
    edg_option o;
    edg_coap request;
    const uint8_t *proof = NULL;
    uint8_t n, tag[32];

    CHECK_EQ(edg_coap_parse(&c->answer, c->out, (edg_len)c->out_len), EDG_OK);
    c->code = c->answer.code;
    c->tagged = 0;
    edg_option_first(&o, c->answer.options, c->answer.options_len);
    while (edg_option_next(&o) > 0)
        if (o.number == EDG_OPT_RESPONSE)
            proof = o.value;
    if (proof == NULL)
        return;
    CHECK_EQ(edg_coap_parse(&request, c->in, (edg_len)c->in_len), EDG_OK);
    edg_option_first(&o, request.options, request.options_len);
    while (edg_option_next(&o) > 0 && o.number != EDG_OPT_REQUEST) {
    }
    n = proof[0] == EDG_FORM_OPEN ? 16 : 8;
    caller_mac_begin(c, c->ks, EDG_LABEL_RESPONSE);
    edg_mac_put32(&c->desk, edg_load32(o.value + (opens(o.value) ? 26 : 2)));
    edg_mac_put32(&c->desk, 0);
    edg_mac_put(&c->desk, o.value + o.len - n, n);
    edg_mac_put32(&c->desk, edg_load32(proof + 2));
    edg_mac_put8(&c->desk, proof[1]);
    edg_mac_message(&c->desk, c->answer.code, c->answer.options, c->answer.options_len, c->answer.payload, c->answer.payload_len,
                    EDG_O_RESPONSE, n);
    caller_mac_end(c, tag);
    CHECK(memcmp(tag, proof + 6, n) == 0);
    c->tagged = 1;
    c->slot = proof[1];
    c->tick = edg_load32(proof + 2);
    if (c->hidden)
        reveal(c);
}

int caller_send(caller *c)
{
    uint8_t in[CALLER_MESSAGE]; /* the device may write over what it was given */

    memcpy(in, c->in, c->in_len);
    c->out_len = edg_device_handle(c->dev, in, c->in_len, c->out, c->out_cap, c->link);
    if (c->out_len == 0)
        return -1;
    CHECK(c->out_len <= c->out_cap);
    read_answer(c);
    return 0;
}

int caller_again(caller *c)
{
    edg_store16(c->in + 2, ++c->message_id);
    return caller_send(c);
}

int caller_plain(caller *c, uint8_t code, const char *path, const char *query, const uint8_t *payload, size_t n)
{
    uint16_t last;
    size_t at = begin(c, code, path, query, &last);

    end(c, at, payload, n);
    return caller_send(c);
}

/* Writes the tag over the request that stands in c->in; its option 65001 ends in room for it. */
static void sign(caller *c, uint32_t tick)
{
    edg_coap m;
    edg_option o;
    uint8_t n, tag[32];

    CHECK_EQ(edg_coap_parse(&m, c->in, (edg_len)c->in_len), EDG_OK);
    edg_option_first(&o, m.options, m.options_len);
    while (edg_option_next(&o) > 0 && o.number != EDG_OPT_REQUEST) {
    }
    n = opens(o.value) ? 16 : 8;
    caller_mac_begin(c, c->ks, EDG_LABEL_REQUEST);
    edg_mac_put8(&c->desk, o.value[1]);
    edg_mac_put32(&c->desk, c->sequence);
    edg_mac_put32(&c->desk, tick);
    edg_mac_put8(&c->desk, c->hold);
    edg_mac_message(&c->desk, m.code, m.options, m.options_len, m.payload, m.payload_len, EDG_O_REQUEST, n);
    caller_mac_end(c, tag);
    memcpy(c->in + (o.value - c->in) + o.len - n, tag, n);
}

/* Puts the discharge behind the frames, bound to the session key, which is in c->ks. */
static void add_discharge(caller *c)
{
    uint8_t key[32], n = (uint8_t)(1u + c->discharge[0]);

    caller_mac_begin(c, c->discharge_key, EDG_LABEL_DISCHARGE);
    edg_mac_put(&c->desk, c->discharge, n);
    caller_mac_end(c, key);
    caller_mac_begin(c, key, EDG_LABEL_BIND);
    edg_mac_put(&c->desk, c->ks, 32);
    caller_mac_end(c, key);
    c->carried[c->carried_len++] = (uint8_t)(0xF0 + c->discharge_of);
    memcpy(c->carried + c->carried_len, c->discharge, n);
    memcpy(c->carried + c->carried_len + n, key, EDG_BINDING);
    c->carried_len = (uint8_t)(c->carried_len + n + EDG_BINDING);
}

static void derive(caller *c)
{
    size_t at = 12;

    memcpy(c->ks, c->ke, 32);
    caller_mac_begin(c, c->ks, EDG_LABEL_ROOT);
    edg_mac_put16(&c->desk, edg_load16(c->carried + 5));
    edg_mac_put8(&c->desk, c->carried[0] & 15);
    edg_mac_put8(&c->desk, c->carried[7]);
    caller_mac_end(c, c->ks);
    for (; at < c->carried_len && c->carried[at] <= EDG_MAX_FRAME; at += 1u + c->carried[at]) {
        caller_mac_begin(c, c->ks, at == 12 ? EDG_LABEL_HEAD : EDG_LABEL_FRAME);
        if (at == 12) {
            edg_mac_put8(&c->desk, 12);
            edg_mac_put(&c->desk, c->carried, 12);
        }
        edg_mac_put(&c->desk, c->carried + at, (edg_len)(1u + c->carried[at]));
        caller_mac_end(c, c->ks);
    }
    caller_mac_begin(c, c->ks, EDG_LABEL_SESSION);
    edg_mac_put(&c->desk, c->nonce, 8);
    edg_mac_put(&c->desk, c->cookie, 16);
    caller_mac_end(c, c->ks);
    if (c->discharge != NULL)
        add_discharge(c);
}

/* Sends a request with this proof, which ends in room for its tag. */
static int protect(caller *c, uint8_t code, const char *path, const char *query, const uint8_t *payload, size_t n, uint8_t *proof, size_t len)
{
    uint8_t text[256];
    uint16_t last;
    size_t at = begin(c, code, path, query, &last);

    if (c->hidden) {
        n = hide(c, at, payload, n, text);
        payload = text;
        proof[0] |= EDG_FORM_PRIVATE;
        at = 6;
        last = 0;
    }
    at += put_option(c->in + at, &last, EDG_OPT_REQUEST, proof, len);
    end(c, at, payload, n);
    sign(c, c->tick);
    return caller_send(c);
}

int caller_open(caller *c, uint8_t code, const char *path, const char *query, const uint8_t *payload, size_t n)
{
    uint8_t hello[20], proof[255];
    size_t len = 0;

    edg_store32(c->nonce, edg_load32(c->nonce) * 1664525u + 1013904223u + c->carried[0]);
    memcpy(hello, c->nonce, 8);
    memcpy(hello + 8, c->carried, 12);
    if (caller_plain(c, EDG_POST, "/h", NULL, hello, sizeof hello) != 0 || c->code != EDG_CHANGED || c->answer.payload_len != 16)
        return -1;
    memcpy(c->cookie, c->answer.payload, 16);
    c->tick = edg_load32(c->cookie + 4);
    c->sequence = 1;
    derive(c);

    proof[len++] = EDG_FORM_OPEN;
    proof[len++] = 0xFF;
    memcpy(proof + len, c->nonce, 8);
    memcpy(proof + len + 8, c->cookie, 16);
    len += 24;
    edg_store32(proof + len, c->sequence);
    len += 4;
    proof[len++] = c->hold;
    proof[len++] = c->carried_len;
    memcpy(proof + len, c->carried, c->carried_len);
    len += c->carried_len;
    memset(proof + len, 0, 16);
    return protect(c, code, path, query, payload, n, proof, len + 16);
}

int caller_call(caller *c, uint8_t code, const char *path, const char *query, const uint8_t *payload, size_t n)
{
    uint8_t proof[255];
    size_t len = 0;

    c->sequence++;
    proof[len++] = c->send_frames ? EDG_FORM_FRAMES : EDG_FORM_SESSION;
    proof[len++] = c->slot;
    edg_store32(proof + len, c->sequence);
    edg_store16(proof + len + 4, (uint16_t)c->tick);
    len += 6;
    proof[len++] = c->hold;
    if (c->send_frames) {
        proof[len++] = c->carried_len;
        memcpy(proof + len, c->carried, c->carried_len);
        len += c->carried_len;
    }
    memset(proof + len, 0, 8);
    return protect(c, code, path, query, payload, n, proof, len + 8);
}

uint8_t caller_reason(const caller *c) { return c->code < 0x80 || c->answer.payload_len == 0 ? 0 : c->answer.payload[0]; }
