#include "edg_int.h"

/* What an admitted request does. */

static uint8_t storage_reason(int err) { return err == EDG_ERR_WEAR ? EDG_R_WEAR : EDG_R_STORAGE; }

static uint8_t act_log(edg_device *dev, edg_answer *a, const edg_request *r)
{
    uint8_t *out = a->out + a->payload;
    edg_log_spec spec;
    int log = edg_log_find(dev, r->name, r->name_len, &spec);
    int err;

    if (log < 0)
        return EDG_R_NOT_FOUND;
    if (r->op != EDG_APPEND) {
        a->code = EDG_CONTENT;
        if (r->query != 0)
            return edg_log_range(dev, (uint8_t)log, &spec, r, out, (edg_len)(a->cap - a->payload), &a->len);
        return edg_log_head(dev, (uint8_t)log, &spec, out, &a->len);
    }
    if (!(spec.flags & EDG_LOG_POST))
        return EDG_R_METHOD;
    if (r->m.payload_len != spec.size)
        return r->m.payload_len > spec.size ? EDG_R_TOO_LARGE : EDG_R_ARGUMENT;
    err = edg_device_append(dev, (uint8_t)log, r->m.payload);
    if (err != EDG_OK)
        return storage_reason(err);
    edg_store32(out, edg_log_incarnation(dev, (uint8_t)log, &spec));
    edg_store32(out + 4, edg_log_at(dev, (uint8_t)log)->sequence);
    a->len = 8;
    return 0;
}

static int8_t argument_good(const edg_function_spec *spec, const uint8_t *arg)
{
    uint32_t v = edg_number(arg, spec->format), sign = spec->format & EDG_ARG_I8 ? EDG_SIGN : 0;

    return v >= ((uint32_t)spec->min ^ sign) && v <= ((uint32_t)spec->max ^ sign);
}

static uint8_t act_function(edg_device *dev, edg_answer *a, const edg_request *r)
{
    edg_function_spec spec;
    uint8_t width;
    int n;

    if (edg_function_find(dev, r->name, r->name_len, &spec) < 0)
        return EDG_R_NOT_FOUND;
    if (r->m.payload_len > EDG_MAX_PAYLOAD)
        return EDG_R_TOO_LARGE;
    width = edg_width(spec.format);
    if (r->m.payload_len != width || !argument_good(&spec, r->m.payload))
        return EDG_R_ARGUMENT;
    n = edg_device_append(dev, spec.log, r->m.payload);
    if (n != EDG_OK)
        return storage_reason(n);
    n = spec.call(dev, r->m.payload, width, a->out + a->payload);
    if (n < 0)
        return n == EDG_ERR_ARGUMENT ? EDG_R_ARGUMENT : storage_reason(n);
    a->len = (edg_len)n;
    return 0;
}

static uint8_t act_generation(edg_device *dev, const edg_request *r)
{
    uint8_t branch, generation;
    int current, err;

    if (r->m.payload_len != 2 || r->m.payload[0] > 15)
        return EDG_R_ARGUMENT;
    branch = r->m.payload[0];
    generation = r->m.payload[1];
    current = edg_owner_generation(dev, branch);
    if (current < 0)
        return EDG_R_STORAGE;
    if (generation < current)
        return EDG_R_ARGUMENT;
    err = generation > current ? edg_owner_set_generation(dev, branch, generation) : EDG_OK;
    /* A write that failed may have got as far as the generation, and asked again there would be nothing left to do. */
    if (edg_owner_generation(dev, branch) != current)
        dev->closing = (uint16_t)(1u << branch);
    return err == EDG_OK ? 0 : EDG_R_STORAGE;
}

static uint8_t act_epoch(edg_device *dev, edg_answer *a, const edg_request *r)
{
    const edg_pads *key = &r->s->key;
    uint8_t *secret = a->out + a->payload; /* the answer has no payload */
    uint16_t epoch;
    uint8_t i;

    if (r->m.payload_len != 2 + EDG_KEY)
        return EDG_R_ARGUMENT;
    epoch = edg_load16(r->m.payload);
    if (epoch == 0 || epoch - 1u != edg_load16(dev->owner + EDG_HINT))
        return EDG_R_ARGUMENT;
    edg_mac_begin(dev, key, EDG_LABEL_PAD);
    edg_mac_put32(dev, r->sequence);
    edg_mac_end(dev, key);
    for (i = 0; i < EDG_KEY; i++)
        secret[i] = r->m.payload[2 + i] ^ edg_digest(dev)[i];
    return edg_epoch_raise(dev, epoch, secret) == EDG_OK ? 0 : EDG_R_STORAGE;
}

static uint8_t act_count(edg_device *dev, const edg_request *r)
{
    if (r->m.payload_len != 1 + 8 || r->m.payload[0] >= EDG_CELLS)
        return EDG_R_ARGUMENT;
    return edg_count_reserve(dev, r->m.payload[0], r->m.payload + 1) == EDG_OK ? 0 : EDG_R_STORAGE;
}

static uint8_t act_time(edg_device *dev, const edg_request *r)
{
    const uint8_t *p = r->m.payload;

    if (r->m.payload_len == EDG_TIME_BACK && p[4] == 1)
        return edg_clock_set_back(dev, edg_load32(p)); /* the guard has let nobody but the owner through */
    return r->m.payload_len == 4 ? edg_clock_set(dev, r->s->branches == 1, edg_load32(p)) : EDG_R_ARGUMENT;
}

uint8_t edg_act(edg_device *dev, edg_answer *a, const edg_request *r)
{
    if (r->has & (EDG_HAS_CONDITION | EDG_HAS_BLOCK2 | EDG_HAS_ACCEPT | EDG_HAS_OTHER_ACCEPT))
        return EDG_R_OPTION;
    switch (r->at) {
    case EDG_AT_LOG:
        return act_log(dev, a, r);
    case EDG_AT_FUNCTION:
        return act_function(dev, a, r);
    case EDG_AT_TIME:
        return act_time(dev, r);
    case EDG_AT_EPOCH:
        return act_epoch(dev, a, r);
    case EDG_AT_COUNT:
        return act_count(dev, r);
    default:
        return act_generation(dev, r);
    }
}
