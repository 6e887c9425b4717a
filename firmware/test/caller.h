/* A caller for the tests: makes protected requests as Go's does, and checks the tags of answers. */
#ifndef EDG_TEST_CALLER_H
#define EDG_TEST_CALLER_H

#include "bench.h"

enum { CALLER_MESSAGE = 1152 };

typedef struct caller {
    edg_device *dev; /* who is called */
    bench *board;
    edg_device desk; /* a place to compute on */
    edg_pads pads;
    uint8_t ke[32], hint[4];
    uint8_t carried[207];
    uint8_t carried_len;
    uint8_t ks[32], nonce[8], cookie[16];
    uint8_t slot;
    uint8_t hold;
    uint32_t sequence;
    uint32_t tick; /* the estimate that the next request carries */
    uint16_t message_id;
    uint8_t send_frames; /* SESSION-FRAMES */
    uint8_t hidden;      /* private requests */
    /* The discharge that frame 1 + discharge_of demands, NULL: none. Its key cK, and it as u8 length | frame. */
    const uint8_t *discharge, *discharge_key;
    uint8_t discharge_of;
    uint8_t in[CALLER_MESSAGE], out[CALLER_MESSAGE];
    size_t in_len, out_len;
    size_t out_cap;
    unsigned link;
    /* the last answer */
    edg_coap answer;
    uint8_t code, tagged;
} caller;

/* frames: u8 length | frame ..., as they stand in the carried form; discharges may follow */
void caller_init(caller *c, edg_device *dev, bench *board, const uint8_t ke[32], const uint8_t hint[4], uint8_t branch, uint8_t generation,
                 const uint8_t *frames, uint8_t n);

/* A message without proof. path "/h", "/l/name"; query NULL or up to one. Fills code and answer; 0 if there was an answer. */
int caller_plain(caller *c, uint8_t code, const char *path, const char *query, const uint8_t *payload, size_t n);

/* Hello, and then the request as an OPEN. */
int caller_open(caller *c, uint8_t code, const char *path, const char *query, const uint8_t *payload, size_t n);

/* A request in the session. */
int caller_call(caller *c, uint8_t code, const char *path, const char *query, const uint8_t *payload, size_t n);

/* The last message again, bit for bit but with a new message ID. */
int caller_again(caller *c);
int caller_send(caller *c); /* in as it stands */

/* H(key, label | what edg_mac_put takes in c->desk). */
void caller_mac_begin(caller *c, const uint8_t key[32], uint8_t label);
void caller_mac_end(caller *c, uint8_t out[32]);

/* The reason of an error answer, else 0. */
uint8_t caller_reason(const caller *c);

#endif
