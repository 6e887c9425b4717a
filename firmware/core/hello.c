#include "edg_int.h"

/* The cookie: boot u32 | tick u32 | H(cookie key, COOKIE | boot | tick | caller nonce | header)[:8]. Nothing is kept of it. */

static const uint8_t *mac(edg_device *dev, const uint8_t *nonce, const uint8_t *header, uint32_t tick)
{
    edg_mac_begin(dev, &dev->cookie, EDG_LABEL_COOKIE);
    edg_mac_put32(dev, dev->boot);
    edg_mac_put32(dev, tick);
    edg_mac_put(dev, nonce, EDG_NONCE);
    edg_mac_put(dev, header, EDG_HEADER);
    edg_mac_end(dev, &dev->cookie);
    return edg_digest(dev);
}

void edg_cookie_make(edg_device *dev, const uint8_t *nonce, const uint8_t *header, uint32_t tick, uint8_t *cookie)
{
    edg_store32(cookie, dev->boot);
    edg_store32(cookie + 4, tick);
    memcpy(cookie + 8, mac(dev, nonce, header, tick), 8);
}

int8_t edg_cookie_good(edg_device *dev, const uint8_t *nonce, const uint8_t *header, const uint8_t *cookie)
{
    uint32_t tick = edg_load32(cookie + 4);

    if (edg_load32(cookie) != dev->boot || tick > dev->now || dev->now - tick > EDG_COOKIE_TICKS)
        return 0;
    return edg_same(mac(dev, nonce, header, tick), cookie + 8, 8);
}
