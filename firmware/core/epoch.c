#include "edg_int.h"

/* The next epoch: Ke' = H(Ke, RATCHET | epoch | r). Ke is gone once the record stands twice; what power loss leaves is one of the two epochs. `r` gives way
 * to Ke', and is wiped. */
int8_t edg_epoch_raise(edg_device *dev, uint16_t epoch, uint8_t r[EDG_KEY])
{
    uint8_t *key = edg_digest(dev);
    int8_t err = edg_owner_key(dev, key);

    if (err == EDG_OK) {
        edg_key_ready(dev, &dev->cookie, key); /* the cookie key is made anew anyway */
        edg_mac_begin(dev, &dev->cookie, EDG_LABEL_RATCHET);
        edg_mac_put16(dev, epoch);
        edg_mac_put(dev, r, EDG_KEY);
        edg_mac_end(dev, &dev->cookie);
        edg_copy(r, key, EDG_KEY);
        err = edg_owner_write(dev, dev->owner, epoch, r);
    }
    edg_wipe(r, EDG_KEY);
    /* A write that failed half-way may have left either record. */
    if ((err != EDG_OK && edg_owner_load(dev) != EDG_OK) || edg_cookie_key(dev) != EDG_OK)
        dev->flags = EDG_BOOT_LOST;
    if (edg_load16(dev->owner + EDG_HINT) != epoch)
        return EDG_ERR_STORAGE;
    dev->closing = EDG_ALL_BRANCHES;
    return err == EDG_OK ? edg_counts_free(dev) : err;
}
