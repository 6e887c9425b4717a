/*
 * Marks: what the firmware tells the simulator that hosts it.
 *
 * A mark is a number written to GPIOR0, a register that is wired to nothing: on silicon the write costs one cycle and
 * does nothing. Arguments, if a mark has any, stand in GPIOR1 and GPIOR2 before GPIOR0 is written.
 *
 * Compressions need no mark: the simulator knows edg_sha256_block by its symbol.
 */
#ifndef EDG_ATMEGA328P_MARKS_H
#define EDG_ATMEGA328P_MARKS_H

#define EDG_MARK_REQUEST 1u /* a whole frame came in; work on its answer starts */
#define EDG_MARK_ANSWER 2u  /* the answer is built, or there is none */
#define EDG_MARK_SENT 3u    /* the last byte of the exchange was handed to the UART */
#define EDG_MARK_VALVE 4u   /* the valve moved: GPIOR1 percent, GPIOR2 count modulo 256 */
#define EDG_MARK_READY 5u   /* the link is enabled: GPIOR1, GPIOR2 low and high byte of the boot counter */
#define EDG_MARK_WAIT 6u    /* waiting after a watchdog reset: GPIOR1 seconds */
#define EDG_MARK_DROP 7u    /* a frame was dropped without an answer: too long, bad escape or bad check */
#define EDG_MARK_HMAC 8u    /* an HMAC begins */
#define EDG_MARK_VERDICT 9u /* a protected request is judged; what follows is its action and the answer */

#endif
