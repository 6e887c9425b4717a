#include "edg_int.h"

typedef struct rule {
    uint16_t number;
    uint8_t min, max, rules;
} rule;

/* docs/spec/wire.md, Options; lengths of RFC 7252 5.10 and 7959 2.1. What is not here may not stand in a protected request, and counts for nothing.
 * The search begins at the end, where those are that come most. */
static const rule rules[] EDG_PGM = {
    {EDG_OPT_IF_MATCH, 0, 8, EDG_O_REQUEST},
    {EDG_OPT_URI_HOST, 1, 255, EDG_O_HOST},
    {EDG_OPT_ETAG, 1, 8, EDG_O_RESPONSE},
    {EDG_OPT_IF_NONE_MATCH, 0, 0, EDG_O_REQUEST},
    {EDG_OPT_OBSERVE, 0, 3, EDG_O_REQUEST},
    {EDG_OPT_URI_PORT, 0, 2, EDG_O_HOST},
    {EDG_OPT_CONTENT_FORMAT, 0, 2, EDG_O_REQUEST | EDG_O_RESPONSE},
    {EDG_OPT_URI_QUERY, 0, 31, EDG_O_REQUEST},
    {EDG_OPT_ACCEPT, 0, 2, EDG_O_REQUEST},
    {EDG_OPT_BLOCK2, 0, 3, EDG_O_REQUEST | EDG_O_RESPONSE},
    {EDG_OPT_BLOCK1, 0, 3, EDG_O_REQUEST | EDG_O_RESPONSE},
    {EDG_OPT_SIZE2, 0, 4, EDG_O_IGNORED},
    {EDG_OPT_SIZE1, 0, 4, EDG_O_IGNORED},
    {EDG_OPT_REQUEST_TAG, 0, 8, EDG_O_REQUEST},
    {EDG_OPT_URI_PATH, 0, 31, EDG_O_REQUEST},
    {EDG_OPT_RESPONSE, 14, 32, EDG_O_RESPONSE},
    {EDG_OPT_REQUEST, 17, 255, EDG_O_REQUEST},
};

uint8_t edg_option_rules(uint16_t number, uint16_t len)
{
    const rule *r = rules + sizeof rules / sizeof rules[0];

    while (r-- > rules) {
        uint8_t rule_bits;

        if (edg_pgm_u16(&r->number) != number)
            continue;
        rule_bits = edg_pgm_u8(&r->rules);
        return len < edg_pgm_u8(&r->min) || len > edg_pgm_u8(&r->max) ? (uint8_t)(rule_bits | EDG_O_LENGTH) : rule_bits;
    }
    return 0; /* unknown */
}

void edg_mac_message(edg_device *dev, uint8_t code, const uint8_t *options, edg_len options_len, const uint8_t *payload,
                     edg_len payload_len, uint8_t covered, uint8_t cut)
{
    edg_option o;

    edg_mac_put8(dev, code);
    edg_option_first(&o, options, options_len);
    while (edg_option_next(&o) > 0) {
        if (!(edg_option_rules(o.number, o.len) & covered))
            continue;
        if (o.number == EDG_OPT_REQUEST || o.number == EDG_OPT_RESPONSE)
            o.len = (edg_len)(o.len - cut);
        edg_mac_put32(dev, (uint32_t)o.number << 16 | o.len);
        edg_mac_put(dev, o.value, o.len);
    }
    edg_mac_put16(dev, payload_len);
    edg_mac_put(dev, payload, payload_len);
}
