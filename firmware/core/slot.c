#include "edg_int.h"

/* ---- used cookies: what could open a second session is remembered for the 10 s that it could ---- */

enum { ENTRIES = EDG_RING + EDG_RING_OWNER, RESIDENCY = 20 };

static int in_use(const edg_device *dev, uint8_t i) { return (dev->ring_used[i >> 3] >> (i & 7)) & 1; }

static void release(edg_device *dev, uint8_t i) { dev->ring_used[i >> 3] &= (uint8_t)~(1u << (i & 7)); }

/* An entry's tick is kept modulo 256. That is enough: entries in use are at most 100 ticks old at a sweep, so at the next one within 100 ticks at
 * most 200; and after more than 100 ticks without a sweep none can be young. */
void edg_ring_sweep(edg_device *dev, uint32_t now)
{
    uint8_t i;
    uint8_t all = now - dev->swept > EDG_COOKIE_TICKS;

    for (i = 0; i < ENTRIES; i++)
        if (all || (uint8_t)((uint8_t)now - dev->ring_tick[i]) > EDG_COOKIE_TICKS)
            release(dev, i);
    dev->swept = now;
}

int edg_ring_has(const edg_device *dev, const uint8_t *mac)
{
    uint8_t i;
    int found = 0;

    for (i = 0; i < ENTRIES; i++)
        if (in_use(dev, i))
            found |= edg_same(dev->ring[i], mac, sizeof dev->ring[i]);
    return found;
}

uint8_t edg_ring_room(const edg_device *dev, uint8_t branch)
{
    uint8_t i;

    for (i = 0; i < (branch == 0 ? ENTRIES : EDG_RING); i++)
        if (!in_use(dev, i))
            return i;
    return EDG_NO_SLOT;
}

void edg_ring_put(edg_device *dev, uint8_t entry, const uint8_t *mac, uint32_t tick)
{
    memcpy(dev->ring[entry], mac, sizeof dev->ring[entry]);
    dev->ring_tick[entry] = (uint8_t)tick;
    dev->ring_used[entry >> 3] = (uint8_t)(dev->ring_used[entry >> 3] | (1u << (entry & 7)));
}

/* ---- sessions ---- */

static uint8_t branch_of(const edg_slot *s) { return s->carried[0] & 15; }

uint8_t edg_slot_by_cookie(const edg_device *dev, const uint8_t *mac)
{
    uint8_t i;

    for (i = 0; i < EDG_SLOTS; i++)
        if (dev->slots[i].carried_len != 0 && edg_same(dev->slots[i].cookie, mac, sizeof dev->slots[i].cookie))
            return i;
    return EDG_NO_SLOT;
}

/* Branch and nonce, the identity of a capability here; hint, epoch and generation are ours in every slot. */
static int holds(const edg_slot *s, const uint8_t *header)
{
    return s->carried_len != 0 && s->carried[0] == header[0] && memcmp(s->carried + 8, header + 8, 4) == 0;
}

/* The lowest free slot, else the one to evict, else EDG_NO_SLOT. Slot 0 is the owner's; who holds slots evicts only its own; the owner's last slot
 * falls to nobody else; and nobody is evicted within 2 s. */
uint8_t edg_slot_choose(const edg_device *dev, const uint8_t *header, uint32_t now)
{
    uint8_t owner = (header[0] & 15) == 0;
    uint8_t mine = 0, owners = 0, best = EDG_NO_SLOT;
    uint8_t i;

    for (i = 0; i < EDG_SLOTS; i++) {
        const edg_slot *s = &dev->slots[i];

        if (s->carried_len == 0)
            continue;
        if (branch_of(s) == 0)
            owners++;
        if (holds(s, header))
            mine = 1;
    }
    for (i = owner ? 0 : 1; i < EDG_SLOTS; i++) {
        const edg_slot *s = &dev->slots[i];

        if (s->carried_len == 0)
            return i;
        if (now - s->opened <= RESIDENCY || (mine && !holds(s, header)) || (!owner && owners == 1 && branch_of(s) == 0))
            continue;
        if (best == EDG_NO_SLOT || s->used < dev->slots[best].used)
            best = i;
    }
    return best;
}

void edg_slot_close_branch(edg_device *dev, uint8_t branch)
{
    uint8_t i;

    for (i = 0; i < EDG_SLOTS; i++)
        if (dev->slots[i].carried_len != 0 && branch_of(&dev->slots[i]) == branch)
            edg_wipe(&dev->slots[i], sizeof dev->slots[i]);
}

void edg_slot_close_all(edg_device *dev) { edg_wipe(dev->slots, sizeof dev->slots); }
