/* Programs whose cost on the chip is measured: what they execute is counted by hand (docs/spec/program.md, Fuel). */
#ifndef EDG_SIM_PROGRAM_BODIES_H
#define EDG_SIM_PROGRAM_BODIES_H

#include <stdint.h>

typedef struct program_body {
    uint8_t n, executed, verdict;
    const char *what;
    const char *bytes;
} program_body;

#define BODY(what, executed, verdict, bytes) {sizeof bytes - 1, executed, verdict, what, bytes}
#define TEN(x) x x x x x x x x x x
#define SEVEN(x) x x x x x x x

static const program_body program_bodies[] = {
    BODY("constant", 1, 1, "\x00\x41\x01\x0B"),
    BODY("argument and hour", 13, 1, "\x00\x20\x01\x41\x1E\x4D\x20\x07\x41\x90\x1C\x6E\x41\x18\x70\x41\x06\x6B\x41\x0C\x49\x71\x0B"),
    BODY("sum of 7 bytes", 88, 1, "\x01\x02\x7F\x03\x40\x20\x09\x2D\x00\x20\x20\x0A\x6A\x21\x0A\x20\x09\x41\x01\x6A\x22\x09\x20\x02\x49\x0D\x00\x0B\x20\x0A\x41\x1C\x46\x0B"),
    BODY("16 operands, 8 blocks", 38, 1, "\x00" SEVEN("\x02\x7F") TEN("\x41\x01") "\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01\x41\x01" TEN("\x72") "\x72\x72\x72\x72\x72" SEVEN("\x0B") "\x0B"),
    BODY("endless branch", 200, 0, "\x00\x03\x40\x0C\x00\x0B\x41\x01\x0B"),
    BODY("endless division", 200, 0, "\x00\x03\x40\x41\x7F\x41\x03\x6E\x1A\x0C\x00\x0B\x41\x01\x0B"),
    BODY("endless rotation", 200, 0, "\x00\x03\x40\x41\x7F\x41\x1F\x77\x1A\x0C\x00\x0B\x41\x01\x0B"),
    BODY("endless skipping", 200, 0, "\x00\x03\x40\x41\x00\x04\x40" TEN("\x01") TEN("\x01") TEN("\x01") "\x0B\x0C\x00\x0B\x41\x01\x0B"),
};

#undef BODY
#undef TEN
#undef SEVEN

#endif
