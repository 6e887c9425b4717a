#include "edg_int.h"

/* docs/spec/capability.md: Opening, A request in a session. Nothing is stored before a tag has verified. */

enum { TAG_OPEN = 16, TAG = 8 };
enum { NEW, SEEN, OLD };
enum { AT_NONCE = 2, AT_COOKIE = 10, AT_TICK = 6, AT_MAC = 18 }; /* in option 65001 */
enum { ACTING = EDG_APPEND | EDG_CALL | EDG_MANAGE | EDG_TIME };
#define MIRROR 0x8000u /* of the branches' bits */
#define OWNER 1u

static uint8_t opens(const edg_request *r) { return (r->proof[0] & ~EDG_FORM_PRIVATE) == EDG_FORM_OPEN; }

/* The request tag under key; 1 if it is the one that came. */
static int8_t verify(edg_device *dev, const edg_request *r, const edg_pads *key, uint32_t tick)
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

static int8_t ours(const edg_device *dev, const uint8_t *header) { return edg_same(header + 1, dev->owner, sizeof dev->owner); }

/* Is the part of its branch's generation? A reason, or 0. */
static uint8_t generation(const edg_device *dev, const uint8_t *header)
{
    int generation = edg_owner_generation(dev, header[0] & 15);

    return generation < 0 ? EDG_R_STORAGE : (uint8_t)generation != header[7] ? EDG_R_GENERATION : 0;
}

/* Is the carried form the one that the session was opened with? Where the slot keeps it, its header is told by the device's own values. */
static int8_t carries(edg_device *dev, const edg_slot *s, const edg_request *r)
{
    const uint8_t *header = r->carried;
    uint8_t n = (uint8_t)(r->carried_len - EDG_HEADER);

    if (s->body_len == EDG_DIGEST)
        return edg_same(digest(dev, s, r), s->body, EDG_DIGEST_SIZE);
    return n == s->body_len && edg_same(header + EDG_HEADER, s->body, n) && edg_part_is(s->first, header) && ours(dev, header) && generation(dev, header) == 0;
}

/* RFC 6347 4.1.2.6 with 32 bits; asked only after the tag has verified, so that junk cannot move it. */
static uint8_t window(edg_slot *s, uint32_t sequence)
{
    uint8_t newer = sequence > s->sequence;
    uint32_t apart = newer ? sequence - s->sequence : s->sequence - sequence;
    uint32_t bit = 1, *moves = newer ? &s->window : &bit;
    uint8_t n;

    for (n = apart < 32 ? (uint8_t)apart : 32; n > 0; n--)
        *moves <<= 1;
    if (newer)
        s->sequence = sequence;
    else if (bit == 0)
        return OLD;
    else if (s->window & bit)
        return SEEN;
    s->window |= bit;
    return NEW;
}

/* The request is the newest that passed; its answer is not known yet. */
static void accept(const edg_device *dev, edg_slot *s, const edg_request *r)
{
    edg_copy(s->tag, r->tag, sizeof s->tag);
    s->tick = edg_now(dev);
    s->answer_code = 0;
}

static void answer_tagged(const edg_device *dev, edg_request *r, edg_slot *s)
{
    r->s = s;
    r->slot = (uint8_t)(s - dev->slots);
    r->tag_len = opens(r) ? TAG_OPEN : TAG;
}

/* A sequence that came before, under a good tag. */
static uint8_t duplicate(const edg_device *dev, edg_request *r, edg_slot *s)
{
    if (!edg_same(s->tag, r->tag, sizeof s->tag))
        return EDG_R_SEQUENCE;
    answer_tagged(dev, r, s);
    if (s->answer_code != 0)
        return EDG_REPEAT;
    r->is_private = 0; /* nothing is encrypted twice under one nonce */
    return EDG_R_RESULT_GONE;
}

/* The owner's own capability, nonce 0 and one empty frame, and nothing else. */
static int8_t owners_own(const edg_slot *s)
{
    return s->branches == OWNER && edg_load32(s->first + 1) == 0 && s->body_len == 1 && s->body[0] == 0;
}

/* Is it what the owner alone may do? To manage, and to set the clock back. */
static int8_t is_owners(const edg_request *r) { return r->at != EDG_AT_TIME || r->m.payload_len == EDG_TIME_BACK; }

/* Is it the owner who does it? An epoch and an earlier time are for the owner's own capability. */
static int8_t owned(const edg_request *r, const edg_slot *s)
{
    return r->at == EDG_AT_GENERATION || r->at == EDG_AT_COUNT ? s->branches == OWNER : owners_own(s);
}

/* 100 ms units that a hold stands for. */
static uint16_t hold_ticks(uint8_t hold) { return hold < 200 ? hold : (uint16_t)((uint8_t)(hold - 199) * 600u); }

/* From the operation on, as for every request whose tag is good and whose sequence is new. */
static uint8_t judge(edg_device *dev, edg_request *r, uint32_t tick)
{
    const edg_slot *s = r->s;

#if EDG_PRIVACY
    if (r->is_private) {
        uint8_t reason = edg_private_open(dev, r);

        if (reason != 0)
            return reason;
    }
#endif
    if (r->target != 0)
        return r->target;
    if ((r->op & ACTING) && edg_now(dev) - tick > hold_ticks(r->hold))
        return EDG_R_STALE;
    if (((s->branches & MIRROR) && !(r->op & (EDG_READ | EDG_OBSERVE))) || (r->at >= EDG_AT_TIME && is_owners(r) && !owned(r, s)))
        return EDG_R_DENIED; /* frame 0: the branch itself */
    if (s->body_len != EDG_DIGEST)
        return edg_frames_hold(dev, r, s, s->body, s->body_len);
    return edg_frames_hold(dev, r, s, r->carried + EDG_HEADER, (uint8_t)(r->carried_len - EDG_HEADER));
}

/* Is every part of the branches' generations? Their bits, and a reason or 0. */
static uint8_t generations(const edg_device *dev, const edg_request *r, uint16_t *branches)
{
    edg_item i;
    uint8_t kind = EDG_ITEM_PART, reason = 0;

    *branches = 0;
    edg_item_first(&i, r->carried + EDG_HEADER, (uint8_t)(r->carried_len - EDG_HEADER));
    i.value = r->carried;
    for (; kind != EDG_ITEM_END && reason == 0; kind = edg_item_next(&i)) {
        if (kind != EDG_ITEM_PART)
            continue;
        *branches |= (uint16_t)(1u << (i.value[0] & 15));
        reason = generation(dev, i.value);
    }
    return reason;
}

/* desk->work is the session key. */
static void fill(edg_device *dev, const edg_desk *desk, edg_slot *s, const edg_request *r)
{
    uint8_t n = (uint8_t)(r->carried_len - EDG_HEADER);

    memset(s, 0, sizeof *s);
    s->key = desk->work;
    edg_part_first(s->first, r->carried);
    s->young = EDG_RESIDENCY + 1;
    s->sequence = r->sequence;
    s->window = 1;
    accept(dev, s, r);
    if (n <= sizeof s->body) {
        edg_copy(s->body, r->carried + EDG_HEADER, n);
        s->body_len = n;
    } else {
        edg_copy(s->body, digest(dev, s, r), EDG_DIGEST_SIZE);
        s->body_len = EDG_DIGEST;
    }
}

static uint8_t open_session(edg_device *dev, edg_desk *desk, edg_request *r)
{
    const uint8_t *cookie = r->proof + AT_COOKIE, *mac = r->proof + AT_MAC;
    const uint8_t *header = r->carried;
    uint32_t tick = edg_load32(cookie + 4);
    uint16_t branches;
    uint8_t entry, reason;
    edg_slot *s;

    if (!ours(dev, header))
        return EDG_R_EPOCH;
    reason = generations(dev, r, &branches);
    if (reason != 0)
        return reason;
    if (!edg_cookie_good(dev, r->proof + AT_NONCE, header, cookie))
        return EDG_R_COOKIE;

    entry = edg_ring_find(dev, mac);
    if (entry != EDG_NO_SLOT) {
        s = edg_slot_by_entry(dev, entry);
        if (s == NULL)
            return EDG_R_COOKIE_USED;
        if (!verify(dev, r, &s->key, tick))
            return EDG_R_TAG;
        return duplicate(dev, r, s);
    }
    entry = edg_ring_room(dev, header[0] & 15);
    if (entry == EDG_NO_SLOT)
        return EDG_R_NO_ROOM;
    if (edg_chain_session(dev, desk, r) != EDG_OK)
        return EDG_R_STORAGE;
    edg_key_ready(dev, &desk->work, edg_digest(dev));
    if (!verify(dev, r, &desk->work, tick))
        return EDG_R_TAG;
    s = edg_slot_choose(dev, header);
    if (s == NULL)
        return EDG_R_NO_ROOM;

    edg_ring_put(dev, entry, mac, (uint8_t)(edg_now(dev) - tick));
    fill(dev, desk, s, r);
    s->entry = (uint8_t)(entry + 1);
    s->branches = branches;
    answer_tagged(dev, r, s);
    reason = edg_chain_settle(dev, desk, r);
    r->over = reason; /* also where a discharge could not be checked */
    return reason != 0 ? reason : judge(dev, r, tick);
}

static uint8_t resume(edg_device *dev, edg_request *r)
{
    uint32_t tick = edg_now(dev) - (uint16_t)((uint16_t)edg_now(dev) - edg_load16(r->proof + AT_TICK));
    edg_slot *s = dev->slots;

    if (r->proof[1] >= EDG_SLOTS)
        return EDG_R_NO_SESSION;
    s += r->proof[1];
    if (s->body_len == 0)
        return EDG_R_NO_SESSION;
    if (r->carried == NULL && s->body_len == EDG_DIGEST)
        return EDG_R_NEED_FRAMES;
    if ((r->carried != NULL && !carries(dev, s, r)) || !verify(dev, r, &s->key, tick))
        return EDG_R_TAG;
    switch (window(s, r->sequence)) {
    case NEW:
        accept(dev, s, r);
        answer_tagged(dev, r, s);
        return judge(dev, r, tick);
    case SEEN:
        return duplicate(dev, r, s);
    default:
        return EDG_R_SEQUENCE;
    }
}

uint8_t edg_guard_check(edg_device *dev, edg_desk *desk, edg_request *r)
{
    uint8_t reason;

    if (!(dev->flags & EDG_CLAIMED))
        return EDG_R_UNCLAIMED;
    if (dev->flags & EDG_BOOT_LOST)
        return EDG_R_BOOT_LOST;
    if (!opens(r))
        return resume(dev, r);
    reason = open_session(dev, desk, r);
    edg_wipe(desk, sizeof *desk);
    return reason;
}

void edg_guard_tag(edg_device *dev, const edg_request *r, uint8_t code, const uint8_t *options, edg_len options_len,
                   const uint8_t *payload, edg_len payload_len)
{
    const edg_pads *key = &r->s->key;

    edg_mac_begin(dev, key, EDG_LABEL_RESPONSE);
    edg_mac_put32(dev, r->sequence);
    edg_mac_put32(dev, 0); /* no notification */
    edg_mac_put(dev, r->tag, r->tag_len);
    edg_mac_put32(dev, r->s->tick);
    edg_mac_put8(dev, r->slot);
    edg_mac_message(dev, code, options, options_len, payload, payload_len, EDG_O_RESPONSE, r->tag_len);
    edg_mac_end(dev, key);
}

void edg_guard_keep(const edg_request *r, const edg_answer *a)
{
    edg_slot *s = r->s;

    if (r->m.code != EDG_POST || a->len > sizeof s->answer)
        return;
    edg_copy(s->answer, a->out + a->payload, (uint8_t)a->len);
    s->answer_len = (uint8_t)a->len;
    s->answer_code = a->code;
}
