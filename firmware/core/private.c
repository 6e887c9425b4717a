#include "edg_int.h"

/* docs/spec/capability.md, Privacy: the inner message is encrypted where it stands. */

#if EDG_PRIVACY

enum { REQUEST = 0, ANSWER = 1, KEY = 16, NONCE = 16 };

/* The key and the nonce of one direction, and room for the tag: the whole of the digest's block. */
static uint8_t *ready(edg_device *dev, const edg_request *r, uint8_t direction)
{
    uint8_t *key = edg_digest(dev);

    edg_mac_begin(dev, &r->s->key, EDG_LABEL_PRIVATE);
    edg_mac_put8(dev, direction);
    edg_mac_end(dev, &r->s->key);
    memset(key + KEY, 0, sizeof dev->sha.block - KEY);
    edg_store32(key + KEY, r->sequence);
    return key;
}

edg_len edg_private_seal(edg_device *dev, const edg_request *r, uint8_t *text, edg_len n)
{
    uint8_t *key = ready(dev, r, ANSWER);

    edg_ascon_seal(key, key + KEY, text, n, key + KEY + NONCE);
    edg_copy(text + n, key + KEY + NONCE, EDG_PRIVATE_TAG);
    return (edg_len)(n + EDG_PRIVATE_TAG);
}

uint8_t edg_private_open(edg_device *dev, edg_request *r)
{
    uint8_t *text = r->in + (r->m.payload - r->in), *key;
    edg_len n = r->m.payload_len;

    r->m.code = 0; /* nothing is kept of the answer to what is no request */
    if (n < 1 + EDG_PRIVATE_TAG)
        return EDG_R_MALFORMED;
    n = (edg_len)(n - EDG_PRIVATE_TAG);
    key = ready(dev, r, REQUEST);
    edg_ascon_open(key, key + KEY, text, n, key + KEY + NONCE);
    if (!edg_same(key + KEY + NONCE, text + n, EDG_PRIVATE_TAG) || text[0] == 0 || text[0] >> 5 != 0 ||
        edg_coap_body(&r->m, text + 1, (edg_len)(n - 1)) != EDG_OK)
        return EDG_R_MALFORMED;
    r->m.code = text[0];
    return edg_request_inner(r);
}

#endif
