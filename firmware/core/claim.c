#include "edg_int.h"

/* docs/spec/claim.md. Between the two messages nothing is kept: the device knows its nonce again by the MAC in it. */

enum { FIRST = 1, SECOND = 2, FIRST_LEN = 33, SECOND_LEN = 53, NONCE = 16, CONFIRM = 16, BOARD = 14 };
#define FACTORY_MAGIC 0xE5F1u

/* What is in the answer's buffer before the answer is: a key made ready, and the factory record (factory.c), whose key gives way to others. */
typedef struct desk {
    edg_pads work;
    struct {
        uint8_t magic[2], id[4], key[EDG_KEY];
    } record;
} desk;

/* The factory record, and Kf made ready. */
static uint8_t factory(edg_device *dev, desk *d)
{
    if (edg_nv_read(dev, EDG_NV_FACTORY, &d->record, sizeof d->record) != EDG_OK)
        return EDG_R_STORAGE;
    if (edg_load16(d->record.magic) != FACTORY_MAGIC)
        return EDG_R_CLAIM_CLOSED; /* never provisioned */
    if (edg_nv_check(dev, EDG_NV_FACTORY, sizeof d->record) != 1)
        return EDG_R_STORAGE;
    edg_key_ready(dev, &d->work, d->record.key);
    return 0;
}

/* H(Kf, CLAIMNONCE | boot | tick | count | owner nonce); Kf is ready, boot and tick stand in the device nonce */
static const uint8_t *nonce_mac(edg_device *dev, const desk *d, const uint8_t *device_nonce, uint16_t count, const uint8_t *owner_nonce)
{
    edg_mac_begin(dev, &d->work, EDG_LABEL_CLAIM_NONCE);
    edg_mac_put(dev, device_nonce, EDG_MOMENT);
    edg_mac_put16(dev, count);
    edg_mac_put(dev, owner_nonce, NONCE);
    edg_mac_end(dev, &d->work);
    return edg_digest(dev);
}

/* H(Ke, label | hint | owner nonce | device nonce), which stand in a row in the second message; Ke is ready */
static const uint8_t *confirm(edg_device *dev, const desk *d, uint8_t label, const uint8_t *hint)
{
    edg_mac_begin(dev, &d->work, label);
    edg_mac_put(dev, hint, 4 + 2 * NONCE);
    edg_mac_end(dev, &d->work);
    return edg_digest(dev);
}

/* The owner has confirmed: is the confirmation right, and is it for us? Ke is ready. */
static int8_t confirmed(edg_device *dev, const desk *d, const uint8_t *in)
{
    return edg_same(confirm(dev, d, EDG_LABEL_CONFIRM_OWNER, in + 1), in + 1 + 4 + 2 * NONCE, CONFIRM);
}

static uint8_t begin(edg_device *dev, desk *d, const uint8_t *in, uint16_t count, uint8_t *out, edg_len *n)
{
    const char *board = edg_pgm_pointer(const char *, &EDG_SERVICE(dev)->board);
    uint8_t i;

    if (!edg_same(in + 1, d->record.id, sizeof d->record.id))
        return EDG_R_EPOCH;
    edg_moment_put(dev, d->record.key); /* Kf is ready; `out` is the desk until the MAC is made */
    nonce_mac(dev, d, d->record.key, count, in + 5);
    out[0] = FIRST;
    edg_store16(out + 1, count);
    edg_copy(out + 3, d->record.key, EDG_MOMENT);
    edg_copy(out + 3 + EDG_MOMENT, edg_digest(dev), 8);
    for (i = 0; i < BOARD && edg_pgm_u8(board + i) != 0; i++)
        out[19 + i] = edg_pgm_u8(board + i);
    *n = (edg_len)(19 + i);
    return 0;
}

static uint8_t finish(edg_device *dev, desk *d, const uint8_t *in, uint16_t count)
{
    const uint8_t *owner_nonce = in + 5, *device_nonce = owner_nonce + NONCE;

    if (!edg_moment_recent(dev, device_nonce) || !edg_same(nonce_mac(dev, d, device_nonce, count, owner_nonce), device_nonce + EDG_MOMENT, 8))
        return EDG_R_COOKIE;
    edg_mac_begin(dev, &d->work, EDG_LABEL_CLAIM);
    edg_mac_put(dev, d->record.id, sizeof d->record.id);
    edg_mac_put(dev, owner_nonce, 2 * NONCE);
    edg_mac_put16(dev, count);
    edg_mac_end(dev, &d->work);
    edg_copy(d->record.key, edg_digest(dev), EDG_KEY); /* Ke of epoch 1 */
    edg_key_ready(dev, &d->work, d->record.key);
    if (!confirmed(dev, d, in))
        return EDG_R_TAG;
    if (edg_past_erase(dev) != EDG_OK || edg_owner_write(dev, in + 1, 1, d->record.key) != EDG_OK || edg_cookie_key(dev) != EDG_OK)
        return EDG_R_STORAGE;
    edg_device_start(dev, EDG_START_CLAIM);
    return 0;
}

static uint8_t answer(edg_device *dev, desk *d, const edg_request *r, uint8_t *out, edg_len *n)
{
    const uint8_t *in = r->m.payload;
    uint8_t first = r->m.payload_len == FIRST_LEN;
    uint8_t claimed = dev->flags & EDG_CLAIMED;
    uint32_t count;
    uint8_t i, reason;

    if ((!first && r->m.payload_len != SECOND_LEN) || in[0] != (first ? FIRST : SECOND))
        return EDG_R_MALFORMED;
    for (i = 5 + NONCE; first && i < FIRST_LEN; i++)
        if (in[i] != 0)
            return EDG_R_MALFORMED;
    /* Only the message that claimed it is answered again, so a lost answer loses nothing. */
    if (claimed && (first || !edg_same(in + 1, dev->owner, EDG_HINT)))
        return EDG_R_CLAIM_CLOSED;
    if (!claimed) {
        if (edg_counter_read(dev, EDG_NV_COUNT, EDG_COUNT_SLOTS, &count) < 0)
            return EDG_R_STORAGE;
        reason = factory(dev, d);
        if (reason == 0)
            reason = first ? begin(dev, d, in, (uint16_t)count, out, n) : finish(dev, d, in, (uint16_t)count);
        if (reason != 0 || first)
            return reason;
    }
    if (edg_owner_key(dev, edg_digest(dev)) != EDG_OK)
        return EDG_R_STORAGE;
    edg_key_ready(dev, &d->work, edg_digest(dev));
    if (claimed && !confirmed(dev, d, in))
        return EDG_R_CLAIM_CLOSED;
    confirm(dev, d, EDG_LABEL_CONFIRM_DEVICE, in + 1);
    out[0] = SECOND;
    edg_copy(out + 1, edg_digest(dev), CONFIRM);
    *n = 1 + CONFIRM;
    return 0;
}

uint8_t edg_claim(edg_device *dev, const edg_request *r, unsigned link_flags, uint8_t *out, edg_len room, edg_len *n)
{
    desk *d = (desk *)(void *)out; /* bytes only */
    uint8_t reason;

    if (!(link_flags & EDG_LINK_CLAIM))
        return EDG_R_CLAIM_CLOSED;
    if (dev->flags & EDG_BOOT_LOST)
        return EDG_R_BOOT_LOST;
    if (room < sizeof *d)
        return EDG_R_TOO_LARGE;
    reason = answer(dev, d, r, out, n);
    edg_wipe(out + *n, (uint16_t)(sizeof *d - *n));
    return reason;
}
