#include "edg_int.h"

/* /.well-known/core (RFC 6690), made on the fly: only the bytes in a window of the text are kept, so a block of it costs no buffer. */

typedef struct window {
    uint8_t *out;
    uint16_t from, room, at;
} window;

static const char text_log[] EDG_PGM = "</l/";
static const char text_log_rt[] EDG_PGM = ">;rt=\"edg.log\"";
static const char text_period[] EDG_PGM = ";p=";
static const char text_size[] EDG_PGM = ";sz=";
static const char text_function[] EDG_PGM = "</f/";
static const char text_function_rt[] EDG_PGM = ">;rt=\"edg.fn\";arg=\"";
static const char text_device[] EDG_PGM = "</>;rt=\"edg.dev\";bd=\"";
static const char text_firmware[] EDG_PGM = "\";fw=\"";
static const char text_version[] EDG_PGM = "\";v=1";

static void put(window *w, uint8_t c)
{
    if (w->at >= w->from && w->at - w->from < w->room)
        w->out[w->at - w->from] = c;
    w->at++;
}

static void text(window *w, const char *flash)
{
    uint8_t c;

    for (; (c = edg_pgm_u8(flash)) != 0; flash++)
        put(w, c);
}

static void decimal(window *w, uint32_t v)
{
    uint32_t unit = 1;

    while (v / unit >= 10)
        unit *= 10;
    for (; unit > 0; unit /= 10)
        put(w, (uint8_t)('0' + v / unit % 10));
}

static void integer(window *w, int32_t v, uint8_t format)
{
    if (v < 0 && (format & EDG_ARG_I8)) {
        put(w, '-');
        decimal(w, 0 - (uint32_t)v);
    } else {
        decimal(w, (uint32_t)v);
    }
}

static void put_log(window *w, const edg_device *dev, uint8_t i)
{
    edg_log_spec spec;

    edg_log_spec_get(dev, i, &spec);
    if (spec.flags & EDG_LOG_FUNCTION)
        return;
    if (w->at > 0)
        put(w, ',');
    text(w, text_log);
    text(w, spec.name);
    text(w, text_log_rt);
    if (spec.period > 0) {
#if EDG_FIXED_PERIODS
        uint16_t period = spec.period;
#else
        uint16_t period = dev->logs[i].period > 0 ? dev->logs[i].period : spec.period;
#endif

        text(w, text_period);
        decimal(w, (uint32_t)period / 10 + (period % 10 > 0));
    }
    text(w, text_size);
    decimal(w, spec.size);
}

static void put_function(window *w, const edg_function_spec *spec)
{
    if (w->at > 0)
        put(w, ',');
    text(w, text_function);
    text(w, spec->name);
    text(w, text_function_rt);
    put(w, spec->format & EDG_ARG_I8 ? 'i' : 'u');
    decimal(w, (uint32_t)8 << (spec->format & 3));
    put(w, ':');
    integer(w, spec->min, spec->format);
    put(w, '.');
    put(w, '.');
    integer(w, spec->max, spec->format);
    put(w, '"');
}

uint16_t edg_links_made(const edg_device *dev, uint16_t offset, uint8_t *out, uint16_t room)
{
    edg_service service;
    edg_function_spec function;
    window w;
    uint8_t i;

    w.out = out;
    w.from = offset;
    w.room = room;
    w.at = 0;
    edg_pgm_copy(&service, EDG_SERVICE(dev), sizeof service);
    for (i = 0; i < service.log_count; i++)
        put_log(&w, dev, i);
    for (i = 0; i < service.function_count; i++) {
        edg_pgm_copy(&function, service.functions + i, sizeof function);
        put_function(&w, &function);
    }
    if (w.at > 0)
        put(&w, ',');
    text(&w, text_device);
    text(&w, service.board);
    text(&w, text_firmware);
    text(&w, service.firmware);
    text(&w, text_version);
    return w.at;
}
