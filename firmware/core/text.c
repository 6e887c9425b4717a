#include "edg_int.h"

/* /.well-known/core as a text that was written down. */
uint16_t edg_links_text(const edg_device *dev, uint16_t offset, uint8_t *out, uint16_t room)
{
    const char *text = edg_pgm_pointer(const char *, &EDG_SERVICE(dev)->text);
    uint16_t n;
    uint8_t c;

    for (n = 0; (c = edg_pgm_u8(text + n)) != 0; n++)
        if (n >= offset && n - offset < room)
            out[n - offset] = c;
    return n;
}
