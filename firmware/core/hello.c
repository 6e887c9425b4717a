#include "edg_int.h"

/* The cookie: boot u32 | tick u32 | H(cookie key, COOKIE | boot | tick | caller nonce | header)[:8]. Nothing is kept of it. */

enum { AT_TICK = 4, MAC = 8 };

void edg_moment_put(const edg_device *dev, uint8_t *p)
{
    edg_store32(p, dev->boot);
    edg_store32(p + AT_TICK, edg_now(dev));
}

int8_t edg_moment_recent(const edg_device *dev, const uint8_t *p)
{
    return edg_load32(p) == dev->boot && edg_now(dev) - edg_load32(p + AT_TICK) <= EDG_COOKIE_TICKS;
}

static const uint8_t *mac(edg_device *dev, const uint8_t *nonce, const uint8_t *header, const uint8_t *cookie)
{
    edg_mac_begin(dev, &dev->cookie, EDG_LABEL_COOKIE);
    edg_mac_put(dev, cookie, EDG_MOMENT);
    edg_mac_put(dev, nonce, EDG_NONCE);
    edg_mac_put(dev, header, EDG_HEADER);
    edg_mac_end(dev, &dev->cookie);
    return edg_digest(dev);
}

void edg_cookie_make(edg_device *dev, const uint8_t *nonce, const uint8_t *header, uint8_t *cookie)
{
    edg_moment_put(dev, cookie);
    edg_copy(cookie + EDG_MOMENT, mac(dev, nonce, header, cookie), MAC);
}

int8_t edg_cookie_good(edg_device *dev, const uint8_t *nonce, const uint8_t *header, const uint8_t *cookie)
{
    return edg_moment_recent(dev, cookie) && edg_same(mac(dev, nonce, header, cookie), cookie + EDG_MOMENT, MAC);
}
