#include "edg_int.h"

/* The cookie: boot u32 | tick u32 | H(cookie key, COOKIE | boot | tick | caller nonce | header)[:8]. Nothing is kept of it. */

static void mac(edg_device *dev, const uint8_t *nonce, const uint8_t *header, uint32_t tick)
{
    edg_mac_begin(dev, dev->cookie_key, EDG_LABEL_COOKIE);
    edg_mac_put32(dev, dev->boot);
    edg_mac_put32(dev, tick);
    edg_mac_put(dev, nonce, EDG_NONCE);
    edg_mac_put(dev, header, EDG_HEADER);
    edg_mac_end(dev, dev->cookie_key, dev->mac);
}

void edg_cookie_make(edg_device *dev, const uint8_t *nonce, const uint8_t *header, uint32_t tick, uint8_t *cookie)
{
    mac(dev, nonce, header, tick);
    edg_store32(cookie, dev->boot);
    edg_store32(cookie + 4, tick);
    memcpy(cookie + 8, dev->mac, 8);
}

int edg_cookie_good(edg_device *dev, const uint8_t *nonce, const uint8_t *header, const uint8_t *cookie, uint32_t now)
{
    uint32_t tick = edg_load32(cookie + 4);

    if (edg_load32(cookie) != dev->boot || tick > now || now - tick > EDG_COOKIE_TICKS)
        return 0;
    mac(dev, nonce, header, tick);
    return edg_same(dev->mac, cookie + 8, 8);
}
