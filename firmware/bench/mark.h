/*
 * Marks: empty functions, called so that whoever counts (count.c, count_avr.c) knows by their addresses where a benchmark stands. A mark
 * begins a span that lasts to the next one; `end` begins none.
 */
#ifndef EDG_BENCH_MARK_H
#define EDG_BENCH_MARK_H

/* The caller's HMAC; a compression. */
void edg_mark_sign(void);
void edg_mark_hmac128(void);
void edg_mark_sha256(void);
/* A capability of two frames and one request under it. */
void edg_mark_verify2(void);
/* Messages to the device; the core calls `verdict` when it has judged a protected one, which begins no span but divides it. */
void edg_mark_hello(void);
void edg_mark_open2(void);
void edg_mark_session_request(void);
void edg_mark_verdict(void);
/* What others do. */
void edg_mark_rsa2048_sign(void);
void edg_mark_rsa2048_verify(void);
void edg_mark_p256_sign(void);
void edg_mark_p256_verify(void);

void edg_mark_end(void);
void edg_mark_failed(void);

/* The image's own work: 0, or where it failed. Its board's main runs it and ends. */
int bench_run(void);

#endif
