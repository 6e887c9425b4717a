#include "edg_int.h"

/* docs/spec/capability.md: Opening, A request in a session. Nothing is stored before a tag has verified. */

enum { TAG_OPEN = 16, TAG = 8 };
enum { NEW, SEEN, OLD };
enum { AT_NONCE = 2, AT_COOKIE = 10, AT_TICK = 6, AT_MAC = 18 }; /* in option 65001 */
enum { ACTING = EDG_APPEND | EDG_CALL | EDG_MANAGE | EDG_TIME };
enum { MIRROR = 0x8000, OWNER = 1 }; /* of the branches' bits */

static uint8_t opens(const edg_request *r) { return (r->proof[0] & ~EDG_FORM_PRIVATE) == EDG_FORM_OPEN; }

/* The request tag under key; 1 if it is the one that came. */
static int verify(edg_device *dev, const edg_request *r, const edg_pads *key, uint32_t tick)
{
    uint8_t n = opens(r) ? TAG_OPEN : TAG;

    edg_mac_begin(dev, key, EDG_LABEL_REQUEST);
    edg_mac_put8(dev, r->proof[1]);
    edg_mac_put32(dev, r->sequence);
    edg_mac_put32(dev, tick);
    edg_mac_put8(dev, r->hold);
    edg_mac_message(dev, r->m.code, r->m.options, r->m.options_len, r->m.payload, r->m.payload_len, EDG_O_REQUEST, n);
    edg_mac_end(dev, key);
    return edg_same(edg_digest(dev), r->tag, n);
}

/* H(session key, FRAMES | u8 length | carried form) */
static const uint8_t *digest(edg_device *dev, const edg_slot *s, const edg_request *r)
{
    edg_mac_begin(dev, &s->key, EDG_LABEL_FRAMES);
    edg_mac_put8(dev, r->carried_len);
    edg_mac_put(dev, r->carried, r->carried_len);
    edg_mac_end(dev, &s->key);
    return edg_digest(dev);
}

/* Is the carried form the one that the session was opened with? Where the slot keeps it, its header is told by the device's own values. */
static int carries(edg_device *dev, const edg_slot *s, const edg_request *r)
{
    const uint8_t *header = r->carried;
    uint8_t n = (uint8_t)(r->carried_len - EDG_HEADER);

    if (s->body_len == EDG_DIGEST)
        return edg_same(digest(dev, s, r), s->body, EDG_DIGEST_SIZE);
    return n == s->body_len && memcmp(header + EDG_HEADER, s->body, n) == 0 && (header[0] & 15) == s->first[0] && memcmp(header + 8, s->first + 1, 4) == 0 &&
           memcmp(header + 1, dev->hint, sizeof dev->hint) == 0 && edg_load16(header + 5) == dev->epoch &&
           edg_owner_generation(dev, s->first[0]) == header[7];
}

/* RFC 6347 4.1.2.6 with 32 bits; asked only after the tag has verified, so that junk cannot move it. */
static uint8_t window(edg_slot *s, uint32_t sequence)
{
    uint32_t apart;

    if (sequence > s->sequence) {
        apart = sequence - s->sequence;
        s->window = (apart < 32 ? s->window << apart : 0) | 1;
        s->sequence = sequence;
        return NEW;
    }
    apart = s->sequence - sequence;
    if (apart >= 32)
        return OLD;
    if (s->window & ((uint32_t)1 << apart))
        return SEEN;
    s->window |= (uint32_t)1 << apart;
    return NEW;
}

/* The request is the newest that passed; its answer is not known yet. */
static void accept(edg_slot *s, const edg_request *r)
{
    memcpy(s->tag, r->tag, sizeof s->tag);
    s->answer_code = 0;
}

static void answer_tagged(edg_request *r, uint8_t slot)
{
    r->slot = slot;
    r->tag_len = opens(r) ? TAG_OPEN : TAG;
}

/* A sequence that came before, under a good tag. */
static int duplicate(edg_request *r, const edg_slot *s, uint8_t slot, uint8_t *reason)
{
    if (!edg_same(s->tag, r->tag, sizeof s->tag)) {
        *reason = EDG_R_SEQUENCE;
        return EDG_REFUSE;
    }
    answer_tagged(r, slot);
    if (s->answer_code != 0)
        return EDG_REPEAT;
    *reason = EDG_R_RESULT_GONE;
    return EDG_REFUSE;
}

/* The owner's own capability, nonce 0 and one empty frame, and nothing else. */
static int owners_own(const edg_slot *s)
{
    static const uint8_t first[5];

    return s->body_len == 1 && s->body[0] == 0 && memcmp(s->first, first, sizeof first) == 0;
}

/* 100 ms units that a hold stands for. */
static uint16_t hold_ticks(uint8_t hold) { return hold < 200 ? hold : (uint16_t)((hold - 199) * 600u); }

/* From the operation on, as for every request whose tag is good and whose sequence is new. */
static uint8_t judge(edg_device *dev, edg_request *r, uint8_t slot, uint32_t tick, uint32_t now)
{
    const edg_slot *s = &dev->slots[slot];

    if (r->target != 0)
        return r->target;
    if ((r->op & ACTING) && now - tick > hold_ticks(r->hold))
        return EDG_R_STALE;
    if (((s->branches & MIRROR) && !(r->op & (EDG_READ | EDG_OBSERVE))) || (r->op == EDG_MANAGE && s->branches != OWNER) ||
        (r->at == EDG_AT_EPOCH && !owners_own(s)))
        return EDG_R_DENIED; /* frame 0: the branch itself */
    if (s->body_len != EDG_DIGEST)
        return edg_frames_hold(dev, r, s, s->body, s->body_len, now);
    return edg_frames_hold(dev, r, s, r->carried + EDG_HEADER, (uint8_t)(r->carried_len - EDG_HEADER), now);
}

/* Is every part of the branches' generations? Their bits, and a reason or 0. */
static uint8_t generations(const edg_device *dev, const edg_request *r, uint16_t *branches)
{
    const uint8_t *header = r->carried;
    edg_item i;
    uint8_t kind = EDG_ITEM_PART;

    *branches = 0;
    edg_item_first(&i, header + EDG_HEADER, (uint8_t)(r->carried_len - EDG_HEADER));
    for (; kind != EDG_ITEM_END; kind = edg_item_next(&i)) {
        uint8_t branch;
        int generation;

        if (kind != EDG_ITEM_PART)
            continue;
        if (i.part > 0)
            header = i.value;
        branch = header[0] & 15;
        generation = edg_owner_generation(dev, branch);
        if (generation != header[7])
            return generation < 0 ? EDG_R_STORAGE : EDG_R_GENERATION;
        *branches |= (uint16_t)(1u << branch);
    }
    return 0;
}

/* desk->work is the session key. */
static void fill(edg_device *dev, const edg_desk *desk, edg_slot *s, const edg_request *r, uint32_t now)
{
    uint8_t n = (uint8_t)(r->carried_len - EDG_HEADER);

    memset(s, 0, sizeof *s);
    s->key = desk->work;
    edg_part_first(s->first, r->carried);
    s->young = EDG_RESIDENCY + 1;
    s->used = now;
    s->sequence = r->sequence;
    s->window = 1;
    accept(s, r);
    if (n <= sizeof s->body) {
        memcpy(s->body, r->carried + EDG_HEADER, n);
        s->body_len = n;
    } else {
        memcpy(s->body, digest(dev, s, r), EDG_DIGEST_SIZE);
        s->body_len = EDG_DIGEST;
    }
}

static int open_session(edg_device *dev, edg_desk *desk, edg_request *r, uint32_t now, uint8_t *reason)
{
    const uint8_t *cookie = r->proof + AT_COOKIE, *mac = r->proof + AT_MAC;
    const uint8_t *header = r->carried;
    uint32_t tick = edg_load32(cookie + 4);
    uint16_t branches;
    uint8_t entry, slot;
    edg_slot *s;

    *reason = EDG_R_EPOCH;
    if (memcmp(header + 1, dev->hint, sizeof dev->hint) != 0 || edg_load16(header + 5) != dev->epoch)
        return EDG_REFUSE;
    *reason = generations(dev, r, &branches);
    if (*reason != 0)
        return EDG_REFUSE;
    *reason = EDG_R_COOKIE;
    if (!edg_cookie_good(dev, r->proof + AT_NONCE, header, cookie, now))
        return EDG_REFUSE;

    entry = edg_ring_find(dev, mac);
    if (entry != EDG_NO_SLOT) {
        slot = edg_slot_by_entry(dev, entry);
        *reason = EDG_R_COOKIE_USED;
        if (slot == EDG_NO_SLOT)
            return EDG_REFUSE;
        s = &dev->slots[slot];
        *reason = EDG_R_TAG;
        if (!verify(dev, r, &s->key, tick))
            return EDG_REFUSE;
        s->used = now;
        return duplicate(r, s, slot, reason);
    }
    entry = edg_ring_room(dev, header[0] & 15);
    *reason = EDG_R_NO_ROOM;
    if (entry == EDG_NO_SLOT)
        return EDG_REFUSE;
    *reason = EDG_R_STORAGE;
    if (edg_chain_session(dev, desk, r) != EDG_OK)
        return EDG_REFUSE;
    edg_key_ready(dev, &desk->work, edg_digest(dev));
    *reason = EDG_R_TAG;
    if (!verify(dev, r, &desk->work, tick))
        return EDG_REFUSE;
    slot = edg_slot_choose(dev, header);
    *reason = EDG_R_NO_ROOM;
    if (slot == EDG_NO_SLOT)
        return EDG_REFUSE;

    s = &dev->slots[slot];
    edg_ring_put(dev, entry, mac, (uint8_t)(now - tick));
    fill(dev, desk, s, r, now);
    s->entry = (uint8_t)(entry + 1);
    s->branches = branches;
    answer_tagged(r, slot);
    *reason = edg_chain_settle(dev, desk, r, s, now);
    if (*reason == EDG_R_DENIED)
        r->over = 1;
    if (*reason == 0)
        *reason = judge(dev, r, slot, tick, now);
    return *reason == 0 ? EDG_ADMIT : EDG_REFUSE;
}

static int resume(edg_device *dev, edg_request *r, uint32_t now, uint8_t *reason)
{
    uint8_t slot = r->proof[1];
    uint32_t tick = now - (uint16_t)((uint16_t)now - edg_load16(r->proof + AT_TICK));
    edg_slot *s = &dev->slots[slot < EDG_SLOTS ? slot : 0];

    *reason = EDG_R_NO_SESSION;
    if (slot >= EDG_SLOTS || s->body_len == 0)
        return EDG_REFUSE;
    *reason = EDG_R_NEED_FRAMES;
    if (r->carried == NULL && s->body_len == EDG_DIGEST)
        return EDG_REFUSE;
    *reason = EDG_R_TAG;
    if ((r->carried != NULL && !carries(dev, s, r)) || !verify(dev, r, &s->key, tick))
        return EDG_REFUSE;
    s->used = now;
    switch (window(s, r->sequence)) {
    case NEW:
        accept(s, r);
        answer_tagged(r, slot);
        *reason = judge(dev, r, slot, tick, now);
        return *reason == 0 ? EDG_ADMIT : EDG_REFUSE;
    case SEEN:
        return duplicate(r, s, slot, reason);
    default:
        *reason = EDG_R_SEQUENCE;
        return EDG_REFUSE;
    }
}

int edg_guard_check(edg_device *dev, edg_desk *desk, edg_request *r, uint32_t now, uint8_t *reason)
{
    int verdict;

    *reason = !(dev->flags & EDG_CLAIMED) ? EDG_R_UNCLAIMED : EDG_R_BOOT_LOST;
    if ((dev->flags & (EDG_CLAIMED | EDG_BOOT_LOST)) != EDG_CLAIMED)
        return EDG_REFUSE;
    if (!opens(r))
        return resume(dev, r, now, reason);
    verdict = open_session(dev, desk, r, now, reason);
    edg_wipe(desk, sizeof *desk);
    return verdict;
}

void edg_guard_tag(edg_device *dev, const edg_request *r, uint32_t tick, uint8_t code, const uint8_t *options,
                   uint16_t options_len, const uint8_t *payload, uint16_t payload_len)
{
    const edg_pads *key = &dev->slots[r->slot].key;

    edg_mac_begin(dev, key, EDG_LABEL_RESPONSE);
    edg_mac_put32(dev, r->sequence);
    edg_mac_put32(dev, 0); /* no notification */
    edg_mac_put(dev, r->tag, r->tag_len);
    edg_mac_put32(dev, tick);
    edg_mac_put8(dev, r->slot);
    edg_mac_message(dev, code, options, options_len, payload, payload_len, EDG_O_RESPONSE, r->tag_len);
    edg_mac_end(dev, key);
}

void edg_guard_keep(edg_device *dev, const edg_request *r, uint32_t tick, uint8_t code, const uint8_t *payload, uint16_t n)
{
    edg_slot *s = &dev->slots[r->slot];

    if (r->m.code != EDG_POST || n > sizeof s->answer)
        return;
    memcpy(s->answer, payload, n);
    s->answer_len = (uint8_t)n;
    s->answer_tick = tick;
    s->answer_code = code;
}
