#include "edg_int.h"

/* Token buckets, docs/spec/capability.md, Rates. A bucket that nobody had yet has order 0, and is taken first. */

static int8_t in_use(const edg_device *dev, const edg_bucket *b)
{
    const edg_slot *s;

    for (s = dev->slots; s < dev->slots + EDG_SLOTS; s++)
        if (s->places[EDG_CELLS + (b - dev->buckets)] != 0)
            return 1;
    return 0;
}

void edg_bucket_use(edg_device *dev, edg_bucket *b)
{
    edg_bucket *other;

    for (other = dev->buckets; other < dev->buckets + EDG_BUCKETS; other++)
        if (other->order > b->order)
            other->order--;
    b->order = EDG_BUCKETS;
}

edg_bucket *edg_bucket_find(edg_device *dev, const uint8_t identity[8])
{
    edg_bucket *b, *free = NULL;

    for (b = dev->buckets; b < dev->buckets + EDG_BUCKETS; b++) {
        if (b->order != 0 && edg_same(b->identity, identity, sizeof b->identity))
            break;
        if (!in_use(dev, b) && (free == NULL || b->order < free->order))
            free = b;
    }
    if (b == dev->buckets + EDG_BUCKETS) { /* made: it starts empty */
        if (free == NULL)
            return NULL;
        b = free;
        edg_copy(b->identity, identity, sizeof b->identity);
        b->tokens = 0;
        b->since = edg_now(dev);
    }
    edg_bucket_use(dev, b);
    return b;
}

/* Each period gives a token. A full bucket's period begins anew when it is looked at: else burst + 1 could pass within a moment. */
EDG_APART uint8_t edg_bucket_tokens(const edg_device *d, edg_bucket *b, uint8_t burst, uint16_t period)
{
    const edg_device *dev = EDG_DEVICE(d);
    uint32_t ticks = (uint32_t)period * 10;

    for (; b->tokens < burst && edg_now(dev) - b->since >= ticks; b->tokens++)
        b->since += ticks;
    if (b->tokens == burst)
        b->since = edg_now(dev);
    return b->tokens;
}
