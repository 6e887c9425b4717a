#include "edg_int.h"

/* Ticks, and what they tell: the boot that they count from, and the time (docs/spec/capability.md, Clock). */

enum { BACK = 2 };
#define DAY 86400UL
#define MARK_STEP 3600UL

uint32_t edg_device_ticks(const edg_device *dev)
{
    const edg_platform *p = EDG_PLATFORM(dev);

    return p->ticks(p->ctx);
}

uint32_t edg_device_boot(const edg_device *dev) { return EDG_DEVICE(dev)->boot; }

int edg_device_claimed(const edg_device *dev) { return (dev->flags & EDG_CLAIMED) != 0; }

EDG_APART uint32_t edg_clock_at(const edg_device *dev, uint32_t now)
{
    uint32_t t;

    if (!(dev->flags & EDG_CLOCK_KNOWN))
        return 0;
    t = dev->clock_unix + (now - dev->clock_tick) / 10;
    return t < dev->clock_unix ? 0xFFFFFFFFUL : t;
}

uint8_t edg_clock_set(edg_device *dev, uint8_t enable_days, uint32_t unix_seconds)
{
    uint32_t mark, current;

    if (edg_counter_read(dev, EDG_NV_CLOCK, EDG_CLOCK_SLOTS, &mark) < 0)
        return EDG_R_STORAGE;
    current = dev->flags & EDG_CLOCK_KNOWN ? edg_clock_at(dev, edg_now(dev)) : mark;
    if (unix_seconds <= current) {
        if (unix_seconds == 0 || current - unix_seconds > BACK)
            return EDG_R_TIME;
        if (dev->flags & EDG_CLOCK_KNOWN)
            return 0;
        unix_seconds = current; /* the first time after a boot, and as late as the mark */
    }
    if (unix_seconds - current > DAY && !enable_days)
        return EDG_R_TIME;
    if (unix_seconds - mark >= MARK_STEP && unix_seconds > mark &&
        edg_counter_write(dev, EDG_NV_CLOCK, EDG_CLOCK_SLOTS, unix_seconds) != EDG_OK)
        return EDG_R_STORAGE;
    dev->clock_unix = unix_seconds;
    dev->clock_tick = edg_now(dev);
    dev->flags |= EDG_CLOCK_KNOWN;
    return 0;
}

uint8_t edg_clock_set_back(edg_device *dev, uint32_t unix_seconds)
{
    if (unix_seconds == 0)
        return EDG_R_TIME;
    if (edg_counter_lower(dev, EDG_NV_CLOCK, EDG_CLOCK_SLOTS, unix_seconds) != EDG_OK)
        return EDG_R_STORAGE;
    dev->flags &= (uint8_t)~EDG_CLOCK_KNOWN;
    return edg_clock_set(dev, 1, unix_seconds);
}

uint32_t edg_device_unix(const edg_device *dev) { return edg_clock_at(dev, edg_device_ticks(dev)); }
