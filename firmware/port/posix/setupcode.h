/* Setup codes (docs/spec/claim.md, Factory): host programs only; a device knows its id and factory key, never the text. */
#ifndef EDG_SETUPCODE_H
#define EDG_SETUPCODE_H

#include <stdint.h>

typedef struct edg_setup_code {
    uint8_t id[4];
    uint8_t seed[16];
} edg_setup_code;

/* EDG_OK, or EDG_ERR_MALFORMED: not a setup code, or one with a typing error. */
int edg_setup_code_parse(const char *text, edg_setup_code *code);

#endif
