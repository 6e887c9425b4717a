#include "edg_int.h"

static int8_t name_fits(const char *flash)
{
    uint8_t n = 0;

    if (flash == NULL)
        return 0;
    while (n <= EDG_MAX_NAME && edg_pgm_u8(flash + n) != 0)
        n++;
    return n > 0 && n <= EDG_MAX_NAME;
}

int edg_service_fits(const edg_service *flash)
{
    edg_service s;
    const edg_service *service = &s;
    uint32_t ram = 0, nv = EDG_NV_LOGS;
    uint8_t i;

    edg_pgm_copy(&s, flash, sizeof s);
    if (service->log_count > EDG_LOGS || service->links == NULL || (service->links == edg_links_text && service->text == NULL))
        return 0;
    for (i = 0; i < service->log_count; i++) {
        edg_log_spec spec;

        edg_pgm_copy(&spec, service->logs + i, sizeof spec);
        if (spec.size < 1 || spec.size > EDG_MAX_ENTRY || spec.capacity < 1 || (spec.period > 0 && spec.sample == NULL) || !name_fits(spec.name))
            return 0;
        if (spec.flags & EDG_LOG_EEPROM) {
            if (spec.capacity < 2)
                return 0;
            nv += (uint32_t)spec.capacity * (uint16_t)(EDG_CELL + spec.size);
        } else {
            ram += (uint32_t)spec.capacity * spec.size;
        }
    }
    for (i = 0; i < service->function_count; i++) {
        edg_function_spec spec;
        edg_log_spec log;

        edg_pgm_copy(&spec, service->functions + i, sizeof spec);
        if (spec.log >= service->log_count || (spec.format & 3) == 3 || spec.call == NULL || !name_fits(spec.name))
            return 0;
        edg_pgm_copy(&log, service->logs + spec.log, sizeof log);
        if (log.size != 1u << (spec.format & 3) || !(log.flags & EDG_LOG_FUNCTION))
            return 0;
    }
    return ram <= EDG_LOG_STORE && nv <= EDG_NV_BASE + EDG_NV_SIZE;
}
