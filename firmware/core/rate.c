#include "edg_int.h"

/* Token buckets, docs/spec/capability.md, Rates. A bucket without an owner has identity 0, order 0 and is taken first. */

static int in_use(const edg_device *dev, uint8_t bucket)
{
    uint8_t i;

    for (i = 0; i < EDG_SLOTS; i++)
        if (dev->slots[i].body_len != 0 && dev->slots[i].places[EDG_CELLS + bucket] != 0)
            return 1;
    return 0;
}

void edg_bucket_use(edg_device *dev, uint8_t bucket)
{
    uint8_t i, order = dev->buckets[bucket].order;

    for (i = 0; i < EDG_BUCKETS; i++)
        if (dev->buckets[i].order > order)
            dev->buckets[i].order--;
    dev->buckets[bucket].order = EDG_BUCKETS;
}

uint8_t edg_bucket_find(edg_device *dev, const uint8_t identity[8], uint32_t now)
{
    uint8_t i, found = EDG_BUCKETS;
    edg_bucket *b;

    for (i = 0; i < EDG_BUCKETS; i++) {
        b = &dev->buckets[i];
        if (b->order != 0 && memcmp(b->identity, identity, sizeof b->identity) == 0) {
            found = i;
            break;
        }
        if (!in_use(dev, i) && (found == EDG_BUCKETS || b->order < dev->buckets[found].order))
            found = i;
    }
    if (found == EDG_BUCKETS)
        return found;
    if (i == EDG_BUCKETS) { /* made: it starts empty */
        b = &dev->buckets[found];
        memcpy(b->identity, identity, sizeof b->identity);
        b->tokens = 0;
        b->since = now;
    }
    edg_bucket_use(dev, found);
    return found;
}

/* The periods that have passed since it was last asked each gave a token, as far as it holds so many. */
uint8_t edg_bucket_tokens(edg_bucket *b, uint8_t burst, uint16_t period, uint32_t now)
{
    uint32_t ticks = (uint32_t)period * 10, periods = (now - b->since) / ticks;

    b->since += periods * ticks;
    b->tokens = (uint8_t)(periods >= (uint32_t)burst - b->tokens ? burst : b->tokens + periods);
    return b->tokens;
}
