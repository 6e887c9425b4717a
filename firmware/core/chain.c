#include "edg_int.h"

/* The keys of a carried form, docs/spec/capability.md, Labels and Carried form. A key on its way stands in edg_digest, made ready in desk->work. */

/* The branch key of a part, in edg_digest. */
static int8_t branch_key(edg_device *dev, edg_desk *desk, const uint8_t *header)
{
    int8_t err = edg_owner_key(dev, edg_digest(dev));

    if (err != EDG_OK)
        return err;
    edg_key_ready(dev, &desk->work, edg_digest(dev));
    edg_mac_begin(dev, &desk->work, EDG_LABEL_ROOT);
    edg_mac_put(dev, dev->owner + EDG_HINT, 2);
    edg_mac_put8(dev, header[0] & 15);
    edg_mac_put8(dev, header[7]);
    edg_mac_end(dev, &desk->work);
    return EDG_OK;
}

/* From the key before a frame to the one after it; desk->work has the one before it. */
static void frame_key(edg_device *dev, edg_desk *desk, const edg_item *i, const uint8_t *header)
{
    edg_key_ready(dev, &desk->work, edg_digest(dev));
    edg_mac_begin(dev, &desk->work, i->frame == 1 ? EDG_LABEL_HEAD : EDG_LABEL_FRAME);
    if (i->frame == 1) {
        edg_mac_put8(dev, EDG_HEADER);
        edg_mac_put(dev, header, EDG_HEADER);
    }
    edg_mac_put(dev, i->value - 1, (edg_len)(i->len + 1u)); /* u8 length | frame */
    edg_mac_end(dev, &desk->work);
}

/* The session key of the part whose items come next, in edg_digest; the item behind it is in i. */
static int8_t part_session(edg_device *dev, edg_desk *desk, const edg_request *r, const uint8_t *header, edg_item *i, uint8_t *kind)
{
    int8_t err = branch_key(dev, desk, header);

    if (err != EDG_OK)
        return err;
    while ((*kind = edg_item_next(i)) != EDG_ITEM_END && *kind != EDG_ITEM_PART)
        if (*kind == EDG_ITEM_FRAME)
            frame_key(dev, desk, i, header);
    edg_key_ready(dev, &desk->work, edg_digest(dev));
    edg_mac_begin(dev, &desk->work, EDG_LABEL_SESSION);
    edg_mac_put(dev, r->proof + 2, EDG_NONCE + EDG_COOKIE);
    edg_mac_end(dev, &desk->work);
    return EDG_OK;
}

static void first_item(edg_item *i, const edg_request *r) { edg_item_first(i, r->carried + EDG_HEADER, (uint8_t)(r->carried_len - EDG_HEADER)); }

int8_t edg_chain_session(edg_device *dev, edg_desk *desk, const edg_request *r)
{
    edg_item i;
    uint8_t kind, part = 0;
    const uint8_t *header = r->carried;
    int8_t err;

    first_item(&i, r);
    for (;;) {
        err = part_session(dev, desk, r, header, &i, &kind);
        if (err != EDG_OK)
            return err;
        if (part > 0) {
            edg_copy(desk->kept, edg_digest(dev), EDG_KEY);
            edg_key_ready(dev, &desk->work, desk->key);
            edg_mac_begin(dev, &desk->work, EDG_LABEL_JOIN);
            edg_mac_put(dev, desk->kept, EDG_KEY);
            edg_mac_end(dev, &desk->work);
        }
        if (kind == EDG_ITEM_END)
            return EDG_OK;
        edg_copy(desk->key, edg_digest(dev), EDG_KEY);
        header = i.value;
        part = i.part;
    }
}

/* What a frame has before its first grant that needs a key of the chain: of each type the first. */
typedef struct wants {
    const uint8_t *count, *rate, *third;
} wants;

static void read_wants(wants *w, const edg_item *i)
{
    edg_constraint t;

    w->count = w->rate = w->third = NULL;
    t.at = i->value;
    t.end = i->value + i->len;
    while (edg_constraint_next(&t) > 0 && t.type != EDG_T_GRANT && t.type != EDG_T_GRANT_PREFIX) {
        if (t.type == EDG_T_COUNT && t.n == 2 && w->count == NULL)
            w->count = t.v;
        else if (t.type == EDG_T_RATE && t.n == 3 && w->rate == NULL)
            w->rate = t.v;
        else if (t.type == EDG_T_THIRD_PARTY && t.n == 44 && w->third == NULL)
            w->third = t.v;
    }
}

/* What there is to settle: mostly nothing, and the session is spared another chain. */
enum { DISCHARGES = 1, PLACES = 2 };

static EDG_APART uint8_t what_to_settle(const edg_request *r)
{
    edg_item i;
    wants w;
    uint8_t kind, what = 0;

    first_item(&i, r);
    while ((kind = edg_item_next(&i)) != EDG_ITEM_END) {
        if (kind == EDG_ITEM_DISCHARGE)
            what |= DISCHARGES;
        if (kind == EDG_ITEM_FRAME) {
            read_wants(&w, &i);
            if (w.count != NULL || w.rate != NULL)
                what |= PLACES;
        }
    }
    return what;
}

/* The THIRD-PARTY of the frame that i stands at, if it has a discharge, or NULL. */
static EDG_APART const uint8_t *third_party(const edg_item *i, const uint8_t **discharge)
{
    edg_item d = *i;
    uint8_t kind;
    wants w;

    read_wants(&w, i);
    while ((kind = edg_item_next(&d)) != EDG_ITEM_END && kind != EDG_ITEM_PART)
        if (kind == EDG_ITEM_DISCHARGE && d.frame == i->frame) {
            *discharge = d.value - 1;
            return w.third;
        }
    return NULL;
}

/* `discharge`: u8 length | f | binding. desk->work: the key before the frame; desk->key: ks' of its part. The digest is kept. */
static int8_t discharge_good(edg_device *dev, edg_desk *desk, const uint8_t *third, const uint8_t *discharge)
{
    uint8_t len = (uint8_t)(discharge[0] + 1);
    uint8_t *key = edg_digest(dev);
    uint8_t i;

    edg_mac_begin(dev, &desk->work, EDG_LABEL_THIRD_PARTY);
    edg_mac_put(dev, third + 8, 4); /* guard hint (4), guard nonce (4), frame nonce (4), vid (32) */
    edg_mac_end(dev, &desk->work);
    for (i = 0; i < EDG_KEY; i++)
        key[i] = (uint8_t)(key[i] ^ third[12 + i]);
    edg_key_ready(dev, &desk->work, key);
    edg_mac_begin(dev, &desk->work, EDG_LABEL_DISCHARGE);
    edg_mac_put(dev, discharge, len);
    edg_mac_end(dev, &desk->work);
    edg_key_ready(dev, &desk->work, key);
    edg_mac_begin(dev, &desk->work, EDG_LABEL_BIND);
    edg_mac_put(dev, desk->key, EDG_KEY);
    edg_mac_end(dev, &desk->work);
    return edg_same(key, discharge + len, EDG_BINDING);
}

/* Cells and buckets of one frame; edg_digest is the key after it. */
static EDG_APART void find_places(edg_device *dev, edg_slot *s, const edg_item *i)
{
    uint8_t place = (uint8_t)(i->part * EDG_MAX_FRAMES + i->frame);
    const uint8_t *key = edg_digest(dev);
    wants w;

    read_wants(&w, i);
    if (w.count != NULL && w.count[1] < EDG_CELLS && edg_count_is(dev, w.count[1], key) == 1)
        s->places[w.count[1]] = place;
    if (w.rate != NULL && w.rate[0] != 0 && (w.rate[1] | w.rate[2]) != 0) {
        const edg_bucket *b = edg_bucket_find(dev, key);

        if (b != NULL)
            s->places[EDG_CELLS + (b - dev->buckets)] = place;
    }
}

/* Has this frame a good discharge? edg_digest is the key after it, and still is afterwards. */
static EDG_APART int8_t discharged(edg_device *dev, edg_desk *desk, const edg_item *i)
{
    const uint8_t *discharge, *third = third_party(i, &discharge);
    int8_t good;

    if (third == NULL)
        return 0;
    edg_copy(desk->kept, edg_digest(dev), EDG_KEY);
    good = discharge_good(dev, desk, third, discharge);
    edg_copy(edg_digest(dev), desk->kept, EDG_KEY);
    return good;
}

/* To desk->key: the session key of the part whose items come next. */
static EDG_APART int8_t keep_session(edg_device *dev, edg_desk *desk, const edg_request *r, const uint8_t *header, const edg_item *i)
{
    edg_item ahead = *i;
    uint8_t kind;
    int8_t err = part_session(dev, desk, r, header, &ahead, &kind);

    edg_copy(desk->key, edg_digest(dev), EDG_KEY);
    return err;
}

/* One pass over all parts. */
static uint8_t settle(edg_device *dev, edg_desk *desk, edg_request *r, uint8_t what)
{
    edg_item i;
    const uint8_t *header = r->carried;
    uint8_t kind = EDG_ITEM_PART, good;

    first_item(&i, r);
    while (kind != EDG_ITEM_END) {
        if ((what == DISCHARGES && keep_session(dev, desk, r, header, &i) != EDG_OK) || branch_key(dev, desk, header) != EDG_OK)
            return EDG_R_STORAGE;
        good = 0; /* a bit for each frame whose discharge is */
        while ((kind = edg_item_next(&i)) != EDG_ITEM_END && kind != EDG_ITEM_PART) {
            if (kind == EDG_ITEM_FRAME) {
                frame_key(dev, desk, &i, header);
                if (what == PLACES)
                    find_places(dev, r->s, &i);
                else if (discharged(dev, desk, &i))
                    good = (uint8_t)(good | (1u << i.frame));
            } else if (what == DISCHARGES && !(good & (1u << i.frame))) {
                r->frame = (uint8_t)(i.part * 32 + 16 + i.frame);
                r->type = EDG_T_THIRD_PARTY;
                return EDG_R_DENIED;
            }
        }
        header = i.value;
    }
    return 0;
}

uint8_t edg_chain_settle(edg_device *dev, edg_desk *desk, edg_request *r)
{
    uint8_t what = what_to_settle(r), reason = 0;

    if (what & DISCHARGES)
        reason = settle(dev, desk, r, DISCHARGES);
    if (reason == 0 && (what & PLACES))
        reason = settle(dev, desk, r, PLACES);
    return reason;
}
