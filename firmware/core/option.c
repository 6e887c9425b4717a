#include "edg_int.h"

typedef struct rule {
    uint16_t number, min, max;
    uint8_t rules;
} rule;

/* docs/spec/wire.md, Options; lengths of RFC 7252 5.10 and 7959 2.1. */
static const rule rules[] EDG_PGM = {
    {EDG_OPT_IF_MATCH, 0, 8, EDG_O_REQUEST},
    {EDG_OPT_URI_HOST, 1, 255, EDG_O_HOST},
    {EDG_OPT_ETAG, 1, 8, EDG_O_RESPONSE},
    {EDG_OPT_IF_NONE_MATCH, 0, 0, EDG_O_REQUEST},
    {EDG_OPT_OBSERVE, 0, 3, EDG_O_REQUEST},
    {EDG_OPT_URI_PORT, 0, 2, EDG_O_HOST},
    {EDG_OPT_URI_PATH, 0, 31, EDG_O_REQUEST},
    {EDG_OPT_CONTENT_FORMAT, 0, 2, EDG_O_REQUEST | EDG_O_RESPONSE},
    {EDG_OPT_MAX_AGE, 0, 4, 0},
    {EDG_OPT_URI_QUERY, 0, 31, EDG_O_REQUEST},
    {EDG_OPT_HOP_LIMIT, 1, 1, 0},
    {EDG_OPT_ACCEPT, 0, 2, EDG_O_REQUEST},
    {EDG_OPT_BLOCK2, 0, 3, EDG_O_REQUEST | EDG_O_RESPONSE},
    {EDG_OPT_BLOCK1, 0, 3, EDG_O_REQUEST | EDG_O_RESPONSE},
    {EDG_OPT_SIZE2, 0, 4, EDG_O_IGNORED},
    {EDG_OPT_PROXY_URI, 1, 1034, 0},
    {EDG_OPT_PROXY_SCHEME, 1, 255, 0},
    {EDG_OPT_SIZE1, 0, 4, EDG_O_IGNORED},
    {EDG_OPT_REQUEST_TAG, 0, 8, EDG_O_REQUEST},
    {EDG_OPT_RESPONSE, 14, 32, EDG_O_RESPONSE},
    {EDG_OPT_REQUEST, 17, 255, EDG_O_REQUEST},
    {EDG_OPT_TRACE, 0, 64, 0},
};

uint8_t edg_option_rules(uint16_t number, uint16_t len)
{
    uint8_t i;

    for (i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        rule r;

        edg_pgm_copy(&r, &rules[i], sizeof r);
        if (r.number == number)
            return len < r.min || len > r.max ? (uint8_t)(r.rules | EDG_O_LENGTH) : r.rules;
    }
    return 0; /* unknown */
}

void edg_mac_message(edg_device *dev, uint8_t code, const uint8_t *options, uint16_t options_len, const uint8_t *payload,
                     uint16_t payload_len, uint8_t covered, uint8_t cut)
{
    edg_option o;

    edg_mac_put8(dev, code);
    edg_option_first(&o, options, options_len);
    while (edg_option_next(&o) > 0) {
        if (!(edg_option_rules(o.number, o.len) & covered))
            continue;
        if (o.number == EDG_OPT_REQUEST || o.number == EDG_OPT_RESPONSE)
            o.len = (uint16_t)(o.len - cut);
        edg_mac_put16(dev, o.number);
        edg_mac_put16(dev, o.len);
        edg_mac_put(dev, o.value, o.len);
    }
    edg_mac_put16(dev, payload_len);
    edg_mac_put(dev, payload, payload_len);
}
