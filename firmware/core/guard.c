#include "edg_int.h"

/* docs/spec/capability.md: Opening, A request in a session. Nothing is stored before a tag has verified. */

enum { TAG_OPEN = 16, TAG = 8 };
enum { NEW, SEEN, OLD };
enum { AT_NONCE = 2, AT_COOKIE = 10, AT_TICK = 6, AT_CARRIED = 32 }; /* in option 65001 */
enum { ACTING = EDG_APPEND | EDG_CALL | EDG_MANAGE | EDG_TIME };
enum { MIRROR_BRANCH = 15 };

/* The request tag under key; 1 if it is the one that came. */
static int verify(edg_device *dev, const edg_request *r, const uint8_t *key, uint32_t tick)
{
    uint8_t n = r->proof[0] == EDG_FORM_OPEN ? TAG_OPEN : TAG;

    edg_mac_begin(dev, key, EDG_LABEL_REQUEST);
    edg_mac_put8(dev, r->proof[1]);
    edg_mac_put32(dev, r->sequence);
    edg_mac_put32(dev, tick);
    edg_mac_put8(dev, r->hold);
    edg_mac_message(dev, r->m.code, r->m.options, r->m.options_len, r->m.payload, r->m.payload_len, EDG_O_REQUEST, n);
    edg_mac_end(dev, key, dev->mac);
    return edg_same(dev->mac, r->tag, n);
}

/* dev->mac = H(session key, FRAMES | u8 length | carried form) */
static void digest(edg_device *dev, const edg_slot *s, const edg_request *r)
{
    edg_mac_begin(dev, s->key, EDG_LABEL_FRAMES);
    edg_mac_put8(dev, r->carried_len);
    edg_mac_put(dev, r->carried, r->carried_len);
    edg_mac_end(dev, s->key, dev->mac);
}

/* From the epoch key to the session key, in dev->key. */
static int chain(edg_device *dev, const edg_request *r)
{
    const uint8_t *header = r->carried;
    uint8_t at = EDG_HEADER;
    uint8_t *key = dev->key;
    int err = edg_owner_key(dev, key);

    if (err != EDG_OK)
        return err;
    edg_mac_begin(dev, key, EDG_LABEL_ROOT);
    edg_mac_put16(dev, dev->epoch);
    edg_mac_put8(dev, header[0] & 15);
    edg_mac_put8(dev, header[7]);
    edg_mac_end(dev, key, key);
    while (at < r->carried_len) {
        uint8_t len = r->carried[at];

        edg_mac_begin(dev, key, at == EDG_HEADER ? EDG_LABEL_HEAD : EDG_LABEL_FRAME);
        if (at == EDG_HEADER) {
            edg_mac_put8(dev, EDG_HEADER);
            edg_mac_put(dev, header, EDG_HEADER);
        }
        edg_mac_put(dev, r->carried + at, (uint16_t)(len + 1u)); /* u8 length | frame */
        edg_mac_end(dev, key, key);
        at = (uint8_t)(at + 1 + len);
    }
    edg_mac_begin(dev, key, EDG_LABEL_SESSION);
    edg_mac_put(dev, r->proof + AT_NONCE, EDG_NONCE);
    edg_mac_put(dev, r->proof + AT_COOKIE, EDG_COOKIE);
    edg_mac_end(dev, key, key);
    return EDG_OK;
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

static void answer_tagged(edg_request *r, const edg_slot *s, uint8_t slot)
{
    r->slot = slot;
    r->branch = s->carried[0] & 15;
    r->tag_len = r->proof[0] == EDG_FORM_OPEN ? TAG_OPEN : TAG;
}

/* A sequence that came before, under a good tag. */
static int duplicate(edg_request *r, const edg_slot *s, uint8_t slot, uint8_t *reason)
{
    if (!edg_same(s->tag, r->tag, sizeof s->tag)) {
        *reason = EDG_R_SEQUENCE;
        return EDG_REFUSE;
    }
    answer_tagged(r, s, slot);
    if (s->answer_code != 0)
        return EDG_REPEAT;
    *reason = EDG_R_RESULT_GONE;
    return EDG_REFUSE;
}

/* From the operation on, as for every request whose tag is good and whose sequence is new. */
static int admit(edg_device *dev, edg_request *r, uint8_t slot, uint32_t tick, uint32_t now, uint8_t *reason)
{
    const edg_slot *s = &dev->slots[slot];

    answer_tagged(r, s, slot);
    if (r->target != 0) {
        *reason = r->target;
    } else if ((r->op & ACTING) && now - tick > r->hold) {
        *reason = EDG_R_STALE;
    } else if ((r->branch == MIRROR_BRANCH && !(r->op & (EDG_READ | EDG_OBSERVE))) || (r->op == EDG_MANAGE && r->branch != 0)) {
        *reason = EDG_R_DENIED; /* frame 0: the branch itself */
    } else {
        *reason = r->carried != NULL ? edg_frames_hold(dev, r, r->carried, r->carried_len, now)
                                     : edg_frames_hold(dev, r, s->carried, s->carried_len, now);
    }
    return *reason == 0 ? EDG_ADMIT : EDG_REFUSE;
}

static void fill(edg_device *dev, edg_slot *s, const edg_request *r, uint32_t now)
{
    memcpy(s->cookie, r->proof + AT_COOKIE + 8, sizeof s->cookie);
    memcpy(s->key, dev->key, EDG_KEY);
    s->sequence = r->sequence;
    s->window = 1;
    s->opened = now;
    s->used = now;
    accept(s, r);
    if (r->carried_len <= sizeof s->carried) {
        memcpy(s->carried, r->carried, r->carried_len);
        s->carried_len = r->carried_len;
    } else {
        digest(dev, s, r);
        memcpy(s->carried, r->carried, EDG_HEADER);
        memcpy(s->carried + EDG_HEADER, dev->mac, EDG_DIGEST_SIZE);
        s->carried_len = EDG_DIGEST;
    }
}

static int open_session(edg_device *dev, edg_request *r, uint32_t now, uint8_t *reason)
{
    const uint8_t *cookie = r->proof + AT_COOKIE;
    const uint8_t *header = r->carried;
    uint8_t branch = header[0] & 15;
    uint32_t tick = edg_load32(cookie + 4);
    uint8_t entry, slot;
    int generation;

    *reason = EDG_R_EPOCH;
    if (memcmp(header + 1, dev->hint, sizeof dev->hint) != 0 || edg_load16(header + 5) != dev->epoch)
        return EDG_REFUSE;
    generation = edg_owner_generation(dev, branch);
    *reason = generation < 0 ? EDG_R_STORAGE : EDG_R_GENERATION;
    if (generation != header[7])
        return EDG_REFUSE;
    *reason = EDG_R_COOKIE;
    if (!edg_cookie_good(dev, r->proof + AT_NONCE, header, cookie, now))
        return EDG_REFUSE;

    edg_ring_sweep(dev, now);
    if (edg_ring_has(dev, cookie + 8)) {
        slot = edg_slot_by_cookie(dev, cookie + 8);
        *reason = EDG_R_COOKIE_USED;
        if (slot == EDG_NO_SLOT)
            return EDG_REFUSE;
        *reason = EDG_R_TAG;
        if (!verify(dev, r, dev->slots[slot].key, tick))
            return EDG_REFUSE;
        dev->slots[slot].used = now;
        return duplicate(r, &dev->slots[slot], slot, reason);
    }
    entry = edg_ring_room(dev, branch);
    *reason = EDG_R_NO_ROOM;
    if (entry == EDG_NO_SLOT)
        return EDG_REFUSE;
    *reason = EDG_R_STORAGE;
    if (chain(dev, r) != EDG_OK)
        return EDG_REFUSE;
    *reason = EDG_R_TAG;
    if (!verify(dev, r, dev->key, tick))
        return EDG_REFUSE;
    slot = edg_slot_choose(dev, header, now);
    *reason = EDG_R_NO_ROOM;
    if (slot == EDG_NO_SLOT)
        return EDG_REFUSE;

    edg_ring_put(dev, entry, cookie + 8, tick);
    fill(dev, &dev->slots[slot], r, now);
    return admit(dev, r, slot, tick, now, reason);
}

static int resume(edg_device *dev, edg_request *r, uint32_t now, uint8_t *reason)
{
    uint8_t slot = r->proof[1];
    uint32_t tick = now - (uint16_t)((uint16_t)now - edg_load16(r->proof + AT_TICK));
    edg_slot *s = &dev->slots[slot < EDG_SLOTS ? slot : 0];

    *reason = EDG_R_NO_SESSION;
    if (slot >= EDG_SLOTS || s->carried_len == 0)
        return EDG_REFUSE;
    *reason = EDG_R_NEED_FRAMES;
    if (r->carried == NULL && s->carried_len == EDG_DIGEST)
        return EDG_REFUSE;
    *reason = EDG_R_TAG;
    if (r->carried != NULL) {
        if (s->carried_len == EDG_DIGEST) {
            digest(dev, s, r);
            if (!edg_same(dev->mac, s->carried + EDG_HEADER, EDG_DIGEST_SIZE))
                return EDG_REFUSE;
        } else if (r->carried_len != s->carried_len || memcmp(r->carried, s->carried, s->carried_len) != 0) {
            return EDG_REFUSE;
        }
    }
    if (!verify(dev, r, s->key, tick))
        return EDG_REFUSE;
    s->used = now;
    switch (window(s, r->sequence)) {
    case NEW:
        accept(s, r);
        return admit(dev, r, slot, tick, now, reason);
    case SEEN:
        return duplicate(r, s, slot, reason);
    default:
        *reason = EDG_R_SEQUENCE;
        return EDG_REFUSE;
    }
}

int edg_guard_check(edg_device *dev, edg_request *r, uint32_t now, uint8_t *reason)
{
    int verdict;

    r->tag_len = 0;
    r->frame = 0;
    r->type = 0;
    *reason = !(dev->flags & EDG_CLAIMED) ? EDG_R_UNCLAIMED : EDG_R_BOOT_LOST;
    if ((dev->flags & (EDG_CLAIMED | EDG_BOOT_LOST)) != EDG_CLAIMED)
        return EDG_REFUSE;
    verdict = r->proof[0] == EDG_FORM_OPEN ? open_session(dev, r, now, reason) : resume(dev, r, now, reason);
    edg_wipe(dev->key, EDG_KEY);
    return verdict;
}

void edg_guard_tag(edg_device *dev, const edg_request *r, uint32_t tick, uint8_t code, const uint8_t *options,
                   uint16_t options_len, const uint8_t *payload, uint16_t payload_len)
{
    const uint8_t *key = dev->slots[r->slot].key;

    edg_mac_begin(dev, key, EDG_LABEL_RESPONSE);
    edg_mac_put32(dev, r->sequence);
    edg_mac_put32(dev, 0); /* a direct answer */
    edg_mac_put(dev, r->tag, r->tag_len);
    edg_mac_put32(dev, tick);
    edg_mac_put8(dev, r->slot);
    edg_mac_message(dev, code, options, options_len, payload, payload_len, EDG_O_RESPONSE, r->tag_len);
    edg_mac_end(dev, key, dev->mac);
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
