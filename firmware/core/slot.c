#include "edg_int.h"

/* Times that are only asked whether they are over count down, in one byte or two. edg_age takes off what has passed since it was last here, however
 * much that is, so nothing wraps. */

enum { ENTRIES = EDG_RING + EDG_RING_OWNER };

uint32_t edg_now(const edg_device *dev) { return dev->now; }

static void count_down(uint8_t *left, uint8_t ticks) { *left = (uint8_t)(*left > ticks ? *left - ticks : 0); }

void edg_age(edg_device *dev, uint32_t now)
{
    uint32_t ticks = now - dev->now;
    uint8_t few = ticks < 255 ? (uint8_t)ticks : 255; /* nothing that is counted in a byte lasts longer */
    edg_slot *s;
    uint8_t i;

    if (ticks == 0)
        return;
    dev->now = now;
    dev->last_left = (uint16_t)(dev->last_left > ticks ? dev->last_left - ticks : 0);
    for (i = 0; i < ENTRIES; i++)
        count_down(&dev->ring_left[i], few);
    for (s = dev->slots; s < dev->slots + EDG_SLOTS; s++)
        count_down(&s->young, few);
}

/* ---- used cookies: what could open a second session is remembered for the 10 s that it could ---- */

uint8_t edg_ring_find(const edg_device *dev, const uint8_t *mac)
{
    uint8_t i, found = EDG_NO_SLOT;

    for (i = 0; i < ENTRIES; i++)
        if (dev->ring_left[i] != 0 && edg_same(dev->ring[i], mac, sizeof dev->ring[i]))
            found = i;
    return found;
}

uint8_t edg_ring_room(const edg_device *dev, uint8_t branch)
{
    uint8_t i;

    for (i = 0; i < (branch == 0 ? ENTRIES : EDG_RING); i++)
        if (dev->ring_left[i] == 0)
            return i;
    return EDG_NO_SLOT;
}

void edg_ring_put(edg_device *dev, uint8_t entry, const uint8_t *mac, uint8_t age)
{
    edg_slot *last = edg_slot_by_entry(dev, entry);

    edg_copy(dev->ring[entry], mac, sizeof dev->ring[entry]);
    dev->ring_left[entry] = (uint8_t)(EDG_COOKIE_TICKS + 1 - age);
    if (last != NULL)
        last->entry = 0; /* its cookie can come no more */
}

/* ---- sessions ---- */

edg_slot *edg_slot_by_entry(edg_device *dev, uint8_t entry)
{
    edg_slot *s;

    for (s = dev->slots; s < dev->slots + EDG_SLOTS; s++)
        if (s->entry == entry + 1)
            return s;
    return NULL;
}

/* The lowest free slot, else the one to evict, else NULL. Slot 0 is the owner's; who holds slots evicts only its own; the owner's last slot falls to
 * nobody else; and nobody is evicted within 2 s. */
edg_slot *edg_slot_choose(edg_device *dev, const uint8_t *header)
{
    uint8_t branch = header[0] & 15, mine = 0, owners = 0;
    edg_slot *s, *best = NULL;

    for (s = dev->slots; s < dev->slots + EDG_SLOTS; s++) {
        if (s->body_len == 0)
            continue;
        if (s->first[0] == 0)
            owners++;
        if (edg_part_is(s->first, header))
            mine = 1;
    }
    for (s = dev->slots + (branch != 0); s < dev->slots + EDG_SLOTS; s++) {
        if (s->body_len == 0)
            return s;
        if (s->young > 0 || (mine && !edg_part_is(s->first, header)) || (branch != 0 && owners == 1 && s->first[0] == 0))
            continue;
        if (best == NULL || s->tick < best->tick)
            best = s;
    }
    return best;
}

void edg_slot_close(edg_device *dev, uint16_t branches)
{
    edg_slot *s;

    for (s = dev->slots; s < dev->slots + EDG_SLOTS; s++)
        if (s->branches & branches)
            edg_wipe(s, sizeof *s);
}
