/*
 * The chip's serial line as a pseudo-terminal with a name that stays.
 *
 * The symbolic link PATH points at the slave. A slave descriptor stays open in here, so a peer may open and close the
 * line at will: the chip never notices, as on a wire. What the peer does not read in time is lost, as on a wire.
 */
#ifndef EDG_SIM_LINE_H
#define EDG_SIM_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sim_line {
    int master;
    int slave;
    const char *link;
};

/* 0, or -1 with a line on stderr. A symbolic link left behind at `link` is replaced, anything else is kept. */
int sim_line_open(struct sim_line *l, const char *link);
void sim_line_close(struct sim_line *l);

/* Both never wait. Reading returns 0 if there is nothing. */
size_t sim_line_read(const struct sim_line *l, uint8_t *bytes, size_t n);
void sim_line_write(const struct sim_line *l, const uint8_t *bytes, size_t n);

/* Lets the next peer in after one that died holding the line exclusively. Cheap; call it now and then. */
void sim_line_release(const struct sim_line *l);

#endif
