#include "edg_int.h"

/* H(key, label | ...) of docs/spec/capability.md. One HMAC is under way at a time, in dev->sha; what it gave stands in edg_digest(dev) until the next. */

uint8_t *edg_digest(edg_device *dev) { return dev->sha.block; }

void edg_key_ready(edg_device *dev, edg_pads *pads, const uint8_t *key) { edg_pads_make(&dev->sha, pads, key, EDG_KEY); }

void edg_mac_begin(edg_device *dev, const edg_pads *key, uint8_t label)
{
    edg_hmac_begin(&dev->sha, key);
    edg_mac_put8(dev, label);
}

void edg_mac_put(edg_device *dev, const void *data, edg_len n) { edg_sha256_update(&dev->sha, data, n); }

void edg_mac_put8(edg_device *dev, uint8_t v) { edg_mac_put(dev, &v, 1); }

void edg_mac_put16(edg_device *dev, uint16_t v)
{
    uint8_t b[2];

    edg_store16(b, v);
    edg_mac_put(dev, b, sizeof b);
}

void edg_mac_put32(edg_device *dev, uint32_t v)
{
    uint8_t b[4];

    edg_store32(b, v);
    edg_mac_put(dev, b, sizeof b);
}

void edg_mac_end(edg_device *dev, const edg_pads *key) { edg_hmac_end(&dev->sha, key); }

int8_t edg_cookie_key(edg_device *dev)
{
    int8_t err = edg_owner_key(dev, edg_digest(dev));

    if (err != EDG_OK)
        return err;
    edg_key_ready(dev, &dev->cookie, edg_digest(dev));
    edg_mac_begin(dev, &dev->cookie, EDG_LABEL_COOKIE_KEY);
    edg_mac_put32(dev, dev->boot);
    edg_mac_end(dev, &dev->cookie);
    edg_key_ready(dev, &dev->cookie, edg_digest(dev));
    return EDG_OK;
}
