/* Verifying a capability and one request under it with nothing kept but its branch's key: no session, no cookie. */
#ifndef EDG_BENCH_VERIFY_H
#define EDG_BENCH_VERIFY_H

#include "../core/edg_int.h"

/* What is kept: the branch key of a header made ready, from the epoch key. */
void bench_branch_key(edg_device *desk, const uint8_t ke[EDG_KEY], const uint8_t *header, edg_pads *kb);
/* The request's tag, in edg_digest: k0, k1 and so on from the branch key, then the tag. */
void bench_tag(edg_device *desk, const edg_pads *kb, const edg_request *r);
/* Parses a message, checks chain and tag, evaluates every frame; 1 if the request may act. */
int bench_verify(edg_device *desk, const edg_pads *kb, uint8_t *in, uint16_t n);

#endif
