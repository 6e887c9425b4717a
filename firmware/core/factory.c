#include "edg_int.h"

/* magic u16 = E5F1 | id (4) | Kf = H(seed, FACTORY | id) (32) | CRC-16 u16 */
int edg_factory_provision(const edg_platform *platform, const uint8_t id[4], const uint8_t seed[16])
{
    edg_sha256 sha;
    uint8_t record[40];
    uint8_t label = EDG_LABEL_FACTORY;
    int err;

    record[0] = 0xE5;
    record[1] = 0xF1;
    edg_copy(record + 2, id, 4);
    edg_hmac_init(&sha, seed, 16);
    edg_sha256_update(&sha, &label, 1);
    edg_sha256_update(&sha, id, 4);
    edg_hmac_final(&sha, seed, 16, record + 6);
    edg_store16(record + 38, edg_crc16(record, 38));
    err = platform->nv_write(platform->ctx, EDG_NV_FACTORY, record, sizeof record);
    edg_wipe(record, sizeof record);
    edg_wipe(&sha, sizeof sha);
    return err == EDG_OK ? EDG_OK : EDG_ERR_STORAGE;
}
