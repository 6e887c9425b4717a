#include "edg_int.h"

/* H(key, label | ...) of docs/spec/capability.md. One HMAC is under way at a time, in dev->sha. */

void edg_mac_begin(edg_device *dev, const uint8_t *key, uint8_t label)
{
    edg_hmac_init(&dev->sha, key, EDG_KEY);
    edg_mac_put8(dev, label);
}

void edg_mac_put(edg_device *dev, const void *data, uint16_t n) { edg_sha256_update(&dev->sha, data, n); }

void edg_mac_put8(edg_device *dev, uint8_t v) { edg_mac_put(dev, &v, 1); }

void edg_mac_put16(edg_device *dev, uint16_t v)
{
    uint8_t b[2];

    edg_store16(b, v);
    edg_mac_put(dev, b, sizeof b);
}

void edg_mac_put32(edg_device *dev, uint32_t v)
{
    edg_mac_put16(dev, (uint16_t)(v >> 16));
    edg_mac_put16(dev, (uint16_t)v);
}

void edg_mac_end(edg_device *dev, const uint8_t *key, uint8_t out[EDG_KEY])
{
    edg_hmac_final(&dev->sha, key, EDG_KEY, dev->mac);
    if (out != dev->mac)
        memcpy(out, dev->mac, EDG_KEY);
}

int edg_cookie_key(edg_device *dev)
{
    int err = edg_owner_key(dev, dev->key);

    if (err != EDG_OK)
        return err;
    edg_mac_begin(dev, dev->key, EDG_LABEL_COOKIE_KEY);
    edg_mac_put32(dev, dev->boot);
    edg_mac_end(dev, dev->key, dev->cookie_key);
    edg_wipe(dev->key, EDG_KEY);
    return EDG_OK;
}
