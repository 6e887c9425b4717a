/* Inside the core only: labels, reasons, the message in hand, and what the files need of each other. */
#ifndef EDG_INT_H
#define EDG_INT_H

#include "edg.h"

/* A function that keeps its locals to itself: inlined into its only caller, they would stand on the stack under all that the caller calls afterwards. */
#if defined(__GNUC__)
#define EDG_APART __attribute__((noinline))
#else
#define EDG_APART
#endif

/* A function that goes by its pointer even where a compiler knows that there is but one object: on AVR a field takes half the code through a pointer. */
#if defined(__GNUC__) && !defined(__clang__)
#define EDG_BY_POINTER __attribute__((noinline, noclone))
#else
#define EDG_BY_POINTER
#endif

/* ---- bytes.c: big-endian load and store, constant-time compare ---- */

static inline uint16_t edg_load16(const uint8_t *p) { return (uint16_t)(((uint16_t)p[0] << 8) | p[1]); }
uint32_t edg_load32(const uint8_t *p);
void edg_store16(uint8_t *p, uint16_t v);
void edg_store32(uint8_t *p, uint32_t v);
int8_t edg_same(const uint8_t *a, const uint8_t *b, uint8_t n); /* 1 if equal; time depends on n only */
void edg_wipe(void *p, uint16_t n);
/* memcpy. On a machine of 8 bits a call of its own is smaller than what the compiler puts in place. */
#if UINT_MAX == 0xFFFF
void edg_copy(void *to, const void *from, uint8_t n);
#else
static inline void edg_copy(void *to, const void *from, uint8_t n) { memcpy(to, from, n); }
#endif

/* ---- key.c: the labelled HMACs of docs/spec/capability.md ---- */

enum {
    EDG_LABEL_ROOT = 0x01,
    EDG_LABEL_HEAD = 0x02,
    EDG_LABEL_FRAME = 0x03,
    EDG_LABEL_SESSION = 0x04,
    EDG_LABEL_PRIVATE = 0x05,
    EDG_LABEL_REQUEST = 0x06,
    EDG_LABEL_RESPONSE = 0x07,
    EDG_LABEL_COOKIE = 0x08,
    EDG_LABEL_COOKIE_KEY = 0x09,
    EDG_LABEL_RATCHET = 0x0A,
    EDG_LABEL_FACTORY = 0x0B,
    EDG_LABEL_CLAIM_NONCE = 0x0C,
    EDG_LABEL_CLAIM = 0x0D,
    EDG_LABEL_CONFIRM_OWNER = 0x0E,
    EDG_LABEL_CONFIRM_DEVICE = 0x0F,
    EDG_LABEL_THIRD_PARTY = 0x10,
    EDG_LABEL_BIND = 0x11,
    EDG_LABEL_FRAMES = 0x12,
    EDG_LABEL_DISCHARGE = 0x13,
    EDG_LABEL_JOIN = 0x14,
    EDG_LABEL_PAD = 0x15,
    EDG_LABEL_ENTRY = 0x20 /* of log hashes, not of an HMAC */
};

#define EDG_KEY 32
#define EDG_HEADER 12
#define EDG_HINT 4
#define EDG_MAX_FRAMES 4
#define EDG_MAX_FRAME 48
#define EDG_NONCE 8
#define EDG_COOKIE 16
#define EDG_MAX_PARTS 4
#define EDG_BINDING 16
#define EDG_DIGEST 0xFF /* body_len of a slot that keeps a digest only */
#define EDG_DIGEST_SIZE 16 /* who knows the session key can search for other frames with the same digest */
#define EDG_VERSION 1

uint8_t *edg_digest(edg_device *dev); /* what the last HMAC or hash gave, 32 bytes, until the next begins; a place for a key on its way */
void edg_key_ready(edg_device *dev, edg_pads *pads, const uint8_t *key); /* the key may be the digest, which is lost */
void edg_mac_begin(edg_device *dev, const edg_pads *key, uint8_t label);
void edg_mac_put(edg_device *dev, const void *data, edg_len n); /* data that is not the digest */
void edg_mac_put8(edg_device *dev, uint8_t v);
void edg_mac_put16(edg_device *dev, uint16_t v);
void edg_mac_put32(edg_device *dev, uint32_t v);
void edg_mac_end(edg_device *dev, const edg_pads *key);
int8_t edg_cookie_key(edg_device *dev); /* makes dev->cookie; EDG_OK or a negative enum */

/* What edg_device_handle does with the answer's buffer before there is an answer. */
typedef struct edg_desk {
    edg_pads work;
    uint8_t key[EDG_KEY];
    uint8_t kept[EDG_KEY];
} edg_desk;

/* ---- ascon.c: Ascon-AEAD128 (NIST SP 800-232), without associated data ---- */

/* Encrypts text in place. No two texts may have the same key and nonce. */
void edg_ascon_seal(const uint8_t key[16], const uint8_t nonce[16], uint8_t *text, uint16_t n, uint8_t tag[16]);
/* Decrypts text in place and gives the tag it should have come with: nothing may use the text before edg_same has said so. */
void edg_ascon_open(const uint8_t key[16], const uint8_t nonce[16], uint8_t *text, uint16_t n, uint8_t tag[16]);

/* Their parts, in this order; edg_ascon_data is for the official vectors, which have associated data, and not linked in elsewhere. */
#define EDG_ASCON 40 /* bytes of a state */
void edg_ascon_begin(uint8_t s[EDG_ASCON], const uint8_t key[16], const uint8_t nonce[16]);
void edg_ascon_data(uint8_t s[EDG_ASCON], const uint8_t *data, uint16_t n);
void edg_ascon_text(uint8_t s[EDG_ASCON], uint8_t *text, uint16_t n, uint8_t open);
void edg_ascon_end(uint8_t s[EDG_ASCON], const uint8_t key[16], uint8_t tag[16]); /* wipes s */
/* The rounds from the one with constant c: 0xF0 for 12 of them, 0xB4 for 8. EDG_PORT_ASCON_PERMUTE: the port brings its own. */
void edg_ascon_permute(uint8_t s[EDG_ASCON], uint8_t c);

/* ---- coap.c: messages (RFC 7252) ---- */

enum { EDG_CON = 0, EDG_NON = 1, EDG_ACK = 2, EDG_RST = 3 };
enum { EDG_GET = 0x01, EDG_POST = 0x02, EDG_CHANGED = 0x44, EDG_CONTENT = 0x45 };

typedef struct edg_coap {
    const uint8_t *token;
    const uint8_t *options;
    const uint8_t *payload;
    edg_len options_len;
    edg_len payload_len;
    uint16_t id;
    uint8_t type;
    uint8_t code;
    uint8_t token_len;
    uint8_t count;        /* of the options; at most 255 are told */
    uint8_t is_protected; /* 65001 is among them */
} edg_coap;

typedef struct edg_option {
    const uint8_t *at;
    const uint8_t *end;
    const uint8_t *value;
    uint16_t number;
    edg_len len;
} edg_option;

/* EDG_OK, or EDG_ERR_MALFORMED; type, code and id are set whenever n >= 4. */
int8_t edg_coap_parse(edg_coap *m, const uint8_t *in, edg_len n);
int8_t edg_coap_body(edg_coap *m, const uint8_t *in, edg_len n); /* what stands behind the token: options and payload */
void edg_option_first(edg_option *o, const uint8_t *options, edg_len len);
/* 1: the next option is in o; 0: no more; EDG_ERR_MALFORMED. Stops in front of a payload marker. */
int8_t edg_option_next(edg_option *o);
EDG_APART uint16_t edg_option_uint(const edg_option *o); /* 0xFFFF: that, or more */

enum {
    EDG_OPT_IF_MATCH = 1,
    EDG_OPT_URI_HOST = 3,
    EDG_OPT_ETAG = 4,
    EDG_OPT_IF_NONE_MATCH = 5,
    EDG_OPT_OBSERVE = 6,
    EDG_OPT_URI_PORT = 7,
    EDG_OPT_URI_PATH = 11,
    EDG_OPT_CONTENT_FORMAT = 12,
    EDG_OPT_MAX_AGE = 14,
    EDG_OPT_URI_QUERY = 15,
    EDG_OPT_HOP_LIMIT = 16,
    EDG_OPT_ACCEPT = 17,
    EDG_OPT_BLOCK2 = 23,
    EDG_OPT_BLOCK1 = 27,
    EDG_OPT_SIZE2 = 28,
    EDG_OPT_PROXY_URI = 35,
    EDG_OPT_PROXY_SCHEME = 39,
    EDG_OPT_SIZE1 = 60,
    EDG_OPT_REQUEST_TAG = 292
};
#define EDG_OPT_RESPONSE 65000u
#define EDG_OPT_REQUEST 65001u
#define EDG_OPT_TRACE 65004u

/* ---- option.c: what the profile says of each option (docs/spec/wire.md) ---- */

enum {
    EDG_O_REQUEST = 1,  /* under the request tag */
    EDG_O_RESPONSE = 2, /* under the response tag */
    EDG_O_IGNORED = 8,  /* may stand in a protected request without being under the tag */
    EDG_O_HOST = 16,    /* may stand in an unprotected request, and changes nothing */
    EDG_O_LENGTH = 64   /* the length given is illegal */
};
uint8_t edg_option_rules(uint16_t number, uint16_t len);

/* Feeds code, covered options (those with a bit of `covered`), and payload into the HMAC under way; of the options 65000 and 65001 the last
 * `cut` bytes are left out. */
void edg_mac_message(edg_device *dev, uint8_t code, const uint8_t *options, edg_len options_len, const uint8_t *payload,
                     edg_len payload_len, uint8_t covered, uint8_t cut);

/* ---- reasons ---- */

enum {
    EDG_R_MALFORMED = 1,
    EDG_R_OPTION = 2,
    EDG_R_COOKIE = 3,
    EDG_R_COOKIE_USED = 4,
    EDG_R_NO_ROOM = 5,
    EDG_R_TAG = 6,
    EDG_R_NO_SESSION = 7,
    EDG_R_SEQUENCE = 8,
    EDG_R_RESULT_GONE = 9,
    EDG_R_STALE = 10,
    EDG_R_DENIED = 11,
    EDG_R_DENIED_NO_CLOCK = 12,
    EDG_R_GENERATION = 13,
    EDG_R_EPOCH = 14,
    EDG_R_UNCLAIMED = 15,
    EDG_R_BOOT_LOST = 16,
    EDG_R_CLAIM_CLOSED = 17,
    EDG_R_NOT_FOUND = 18,
    EDG_R_NEED_FRAMES = 19,
    EDG_R_NOT_KEPT = 20,
    EDG_R_TOO_LARGE = 21,
    EDG_R_ARGUMENT = 22,
    EDG_R_METHOD = 23,
    EDG_R_NEED_CAPABILITY = 24,
    EDG_R_TIME = 25,
    EDG_R_STORAGE = 26,
    EDG_R_WEAR = 27
};

/* ---- request.c: what a request names ---- */

enum { EDG_READ = 1, EDG_OBSERVE = 2, EDG_APPEND = 4, EDG_CALL = 8, EDG_MANAGE = 16, EDG_TIME = 32 };
enum {
    EDG_AT_NOTHING,
    EDG_AT_CORE,
    EDG_AT_HELLO,
    EDG_AT_CLAIM,
    EDG_AT_LOG,
    EDG_AT_FUNCTION,
    EDG_AT_TIME,
    EDG_AT_GENERATION,
    EDG_AT_EPOCH,
    EDG_AT_COUNT
};
enum { EDG_Q_FROM = 1, EDG_Q_COUNT = 2, EDG_Q_AFTER = 4, EDG_Q_INCARNATION = 8 };

enum { EDG_FORM_OPEN = 0x1F, EDG_FORM_SESSION = 0x20, EDG_FORM_FRAMES = 0x30, EDG_FORM_PRIVATE = 0x40 /* a bit */ };

typedef struct edg_request {
    edg_coap m;
    uint8_t *in; /* the message */
#if EDG_PROGRAM
    uint8_t *scratch; /* EDG_OUT_MIN bytes, until there is an answer in them */
#endif
    const uint8_t *proof;   /* option 65001; NULL: not protected */
    const uint8_t *carried; /* NULL: not in this request */
    const uint8_t *tag;
    const uint8_t *name; /* of the log or function */
    uint32_t sequence;
    uint32_t from;        /* ?s=, or the sequence of ?a= */
    uint32_t incarnation; /* ?i=, or that of ?a= */
    uint16_t block2;      /* more than 16 bits: EDG_NO_BLOCK */
    uint8_t name_len;
    uint8_t carried_len;
    uint8_t hold;
    uint8_t at;
    uint8_t op;     /* 0: no operation of the profile */
    uint8_t query;  /* EDG_Q_ bits */
    uint8_t count;  /* ?n= */
    uint8_t has;    /* EDG_HAS_ bits */
    uint8_t target; /* why there is no operation: a reason, or 0 */
    uint8_t slot;
    edg_slot *s;     /* once a tag has verified in it */
    uint8_t tag_len; /* of the answer; 0: untagged */
    uint8_t is_private;
    uint8_t over;    /* the session ends with the answer */
    uint8_t frame;   /* for reasons 11 and 12 */
    uint8_t type;
} edg_request;

enum {
    EDG_HAS_OBSERVE = 1,
    EDG_HAS_BLOCK2 = 2,
    EDG_HAS_CONDITION = 4, /* If-Match, If-None-Match, Block1: understood, never served here */
    EDG_HAS_ACCEPT = 8,    /* a format that only /.well-known/core might have */
    EDG_HAS_OTHER_ACCEPT = 16
};

/* Reads what r->m asks for (docs/spec/capability.md, Reading a request); a reason, or 0. Sets every field. */
EDG_APART uint8_t edg_request_read(edg_request *r);
/* The same of an inner request, once r->m is that. */
uint8_t edg_request_inner(edg_request *r);

/* ---- frame.c ---- */

enum { EDG_T_GRANT = 1, EDG_T_GRANT_PREFIX = 2, EDG_T_COUNT = 10, EDG_T_RATE = 11, EDG_T_THIRD_PARTY = 14 };

/* One constraint after the other. 1: the next one is in t, its value of n bytes at v; 0: the end; -1: malformed, t->type is what it calls itself. */
typedef struct edg_constraint {
    const uint8_t *at, *end;
    const uint8_t *v;
    uint8_t n, type;
} edg_constraint;
int8_t edg_constraint_next(edg_constraint *t);

/* A number in a format of BOUND and of EDG_ARG_.., so that unsigned comparison orders it: a signed one has its sign turned over. */
#define EDG_SIGN 0x80000000UL
static inline uint8_t edg_width(uint8_t format) { return (uint8_t)(1u << (format & 3)); }
EDG_APART uint32_t edg_number(const uint8_t *p, uint8_t format);

/* Every frame of the session's carried form (its bytes behind the first header) against the request: a reason with r->frame and r->type, or 0: all hold. */
uint8_t edg_frames_hold(edg_device *dev, edg_request *r, const edg_slot *s, const uint8_t *body, uint8_t n);

/* ---- program.c, program_check.c: the PROGRAM constraint (docs/spec/program.md) ---- */

#if EDG_PROGRAM

#define EDG_PROGRAM_LOCALS 8 /* besides parameters */
#define EDG_PROGRAM_STACK 16
#define EDG_PROGRAM_BLOCKS 8 /* within each other, the function's own included */
#define EDG_PROGRAM_FUEL 200

/* Parameters, the first locals. The run itself sets argument and lengths. */
enum {
    EDG_PARAM_OP,
    EDG_PARAM_ARGUMENT,
    EDG_PARAM_PAYLOAD_LEN,
    EDG_PARAM_NAME_LEN,
    EDG_PARAM_FIRST, /* entries that a read names, 0: none */
    EDG_PARAM_LAST,
    EDG_PARAM_HOLD,
    EDG_PARAM_UNIX, /* now, 0: clock unknown */
    EDG_PARAM_TICK, /* now */
    EDG_PARAMS
};

/* A run works in `local` and uses it up: fill it anew for each. */
typedef struct edg_program_input {
    const uint8_t *name;
    const uint8_t *payload;
    uint16_t payload_len;
    uint8_t name_len;
    uint32_t local[EDG_PARAMS + EDG_PROGRAM_LOCALS];
} edg_program_input;

enum { EDG_PROGRAM_FAILS, EDG_PROGRAM_HOLDS, EDG_PROGRAM_BROKEN };

uint8_t edg_program_run(const uint8_t *body, uint8_t n, edg_program_input *in); /* validates first */
uint8_t edg_program_check(const uint8_t *body, uint8_t n);                      /* 1: it is valid */
uint32_t edg_program_value(const uint8_t *from, const uint8_t *to, uint8_t is_signed); /* of a well-formed LEB128 */

enum {
    EDG_WASM_UNREACHABLE = 0x00,
    EDG_WASM_NOP = 0x01,
    EDG_WASM_BLOCK = 0x02,
    EDG_WASM_LOOP = 0x03,
    EDG_WASM_IF = 0x04,
    EDG_WASM_ELSE = 0x05,
    EDG_WASM_END = 0x0B,
    EDG_WASM_BR = 0x0C,
    EDG_WASM_BR_IF = 0x0D,
    EDG_WASM_RETURN = 0x0F,
    EDG_WASM_DROP = 0x1A,
    EDG_WASM_SELECT = 0x1B,
    EDG_WASM_LOCAL_GET = 0x20,
    EDG_WASM_LOCAL_SET = 0x21,
    EDG_WASM_LOCAL_TEE = 0x22,
    EDG_WASM_LOAD = 0x28,
    EDG_WASM_LOAD8_S = 0x2C,
    EDG_WASM_LOAD8_U = 0x2D,
    EDG_WASM_LOAD16_S = 0x2E,
    EDG_WASM_LOAD16_U = 0x2F,
    EDG_WASM_EMPTY = 0x40, /* types: of a block without a result */
    EDG_WASM_CONST = 0x41,
    EDG_WASM_EQZ = 0x45,
    EDG_WASM_EQ = 0x46,
    EDG_WASM_NE = 0x47,
    EDG_WASM_LT_S = 0x48,
    EDG_WASM_LT_U = 0x49,
    EDG_WASM_GT_S = 0x4A,
    EDG_WASM_GT_U = 0x4B,
    EDG_WASM_LE_S = 0x4C,
    EDG_WASM_LE_U = 0x4D,
    EDG_WASM_GE_S = 0x4E,
    EDG_WASM_GE_U = 0x4F,
    EDG_WASM_CLZ = 0x67,
    EDG_WASM_CTZ = 0x68,
    EDG_WASM_POPCNT = 0x69,
    EDG_WASM_ADD = 0x6A,
    EDG_WASM_SUB = 0x6B,
    EDG_WASM_MUL = 0x6C,
    EDG_WASM_DIV_S = 0x6D,
    EDG_WASM_DIV_U = 0x6E,
    EDG_WASM_REM_S = 0x6F,
    EDG_WASM_REM_U = 0x70,
    EDG_WASM_AND = 0x71,
    EDG_WASM_OR = 0x72,
    EDG_WASM_XOR = 0x73,
    EDG_WASM_SHL = 0x74,
    EDG_WASM_SHR_S = 0x75,
    EDG_WASM_SHR_U = 0x76,
    EDG_WASM_ROTL = 0x77,
    EDG_WASM_ROTR = 0x78,
    EDG_WASM_I32 = 0x7F /* a type */
};

#endif

/* ---- carried.c: the carried form, docs/spec/capability.md ---- */

enum { EDG_ITEM_END, EDG_ITEM_FRAME, EDG_ITEM_DISCHARGE, EDG_ITEM_PART, EDG_ITEM_BROKEN };

typedef struct edg_item {
    const uint8_t *at, *end;
    const uint8_t *value; /* frame (of a discharge, too), or header */
    uint8_t len;
    uint8_t frame; /* 1.. within its part */
    uint8_t part;  /* 0.. */
} edg_item;

void edg_item_first(edg_item *i, const uint8_t *body, uint8_t n); /* body: what stands behind the first header */
uint8_t edg_item_next(edg_item *i);                               /* EDG_ITEM_..; BROKEN only where the form was not checked */
/* 1: a part other than number `self` has this branch, and this nonce unless that is NULL. */
int8_t edg_part_has(const uint8_t first[5], const uint8_t *body, uint8_t n, uint8_t self, uint8_t branch, const uint8_t *nonce);
void edg_part_first(uint8_t first[5], const uint8_t *header); /* branch and nonce */
int8_t edg_part_is(const uint8_t first[5], const uint8_t *header); /* 1: the same */
/* Structure of a carried form. 1 or 0. */
int8_t edg_carried_formed(const uint8_t *carried, uint8_t n);

/* ---- chain.c: keys of the carried form ---- */

/* The session key of the request's carried form, in edg_digest. EDG_OK or a negative enum. */
EDG_APART int8_t edg_chain_session(edg_device *dev, edg_desk *desk, const edg_request *r);
/* Checks the discharges, then finds the cells and buckets of r->s, which has just been opened: 0, or a reason with r->frame and r->type. */
EDG_APART uint8_t edg_chain_settle(edg_device *dev, edg_desk *desk, edg_request *r);

/* ---- count.c: counts in EEPROM; rate.c: token buckets ---- */

int8_t edg_count_is(const edg_device *dev, uint8_t cell, const uint8_t identity[8]); /* 1: reserved for it; 0: not; or a negative enum */
int edg_count_get(const edg_device *dev, uint8_t cell);                            /* 0..255, or a negative enum */
int8_t edg_count_raise(const edg_device *dev, uint8_t cell);
int8_t edg_count_reserve(edg_device *dev, uint8_t cell, const uint8_t identity[8]); /* and no open session knows of it any more */
int8_t edg_counts_free(const edg_device *dev);

/* The bucket of an identity, found or made, or NULL: none is to be had. */
edg_bucket *edg_bucket_find(edg_device *dev, const uint8_t identity[8]);
uint8_t edg_bucket_tokens(const edg_device *dev, edg_bucket *b, uint8_t burst, uint16_t period);
void edg_bucket_use(edg_device *dev, edg_bucket *b);

/* ---- hello.c ---- */

#define EDG_COOKIE_TICKS 100

#define EDG_MOMENT 8

/* boot u32 | tick u32: now, and whether it is of this boot and no older than a cookie may be. */
void edg_moment_put(const edg_device *dev, uint8_t *p);
int8_t edg_moment_recent(const edg_device *dev, const uint8_t *p);
void edg_cookie_make(edg_device *dev, const uint8_t *nonce, const uint8_t *header, uint8_t *cookie);
int8_t edg_cookie_good(edg_device *dev, const uint8_t *nonce, const uint8_t *header, const uint8_t *cookie);

/* ---- slot.c: the table of sessions and the ring of used cookies ---- */

#define EDG_NO_SLOT 0xFF
#define EDG_RESIDENCY 20 /* ticks for which a session cannot be evicted */

EDG_APART uint32_t edg_now(const edg_device *dev);                  /* tick of the message in hand */
void edg_age(edg_device *dev, uint32_t now);                        /* what counts down does, before anybody looks at it */
uint8_t edg_ring_find(const edg_device *dev, const uint8_t *mac);   /* an entry, EDG_NO_SLOT: none */
uint8_t edg_ring_room(const edg_device *dev, uint8_t branch);       /* an entry, EDG_NO_SLOT: full */
void edg_ring_put(edg_device *dev, uint8_t entry, const uint8_t *mac, uint8_t age); /* of a cookie of `age` ticks */
edg_slot *edg_slot_by_entry(edg_device *dev, uint8_t entry);         /* or NULL */
edg_slot *edg_slot_choose(edg_device *dev, const uint8_t *header);   /* NULL: none is to be had */
void edg_slot_close(edg_device *dev, uint16_t branches); /* sessions that one of them proves */
#define EDG_ALL_BRANCHES 0xFFFFu

/* ---- guard.c ---- */

typedef struct edg_answer {
    uint8_t *out;
    edg_len cap;
    edg_len options; /* where they start */
    edg_len payload; /* where it starts, behind its marker */
    edg_len len;     /* of the payload */
    uint8_t code;
} edg_answer;

/* 0: act, then edg_guard_tag and edg_guard_keep; EDG_REPEAT: a duplicate, send the slot's stored answer again; else a reason to refuse with, tagged
 * if r->tag_len is not 0. */
#define EDG_REPEAT 0xFF
EDG_APART uint8_t edg_guard_check(edg_device *dev, edg_desk *desk, edg_request *r);
/* Tag of an answer, r->tag_len bytes of edg_digest. `options` has option 65000 with room for the tag at its end. */
void edg_guard_tag(edg_device *dev, const edg_request *r, uint8_t code, const uint8_t *options,
                   edg_len options_len, const uint8_t *payload, edg_len payload_len);
void edg_guard_keep(const edg_request *r, const edg_answer *a);

/* ---- private.c ---- */

#define EDG_PRIVATE_TAG 4
uint8_t edg_private_open(edg_device *dev, edg_request *r); /* r->m becomes the inner request: a reason, or 0 */
/* Encrypts n bytes of an inner answer and puts the tag behind them; how many there are then. */
edg_len edg_private_seal(edg_device *dev, const edg_request *r, uint8_t *text, edg_len n);

/* ---- answer.c ---- */

/* What stands between token and payload: nothing; option 65000; Content-Format 40 and Block2; Max-Age. */
enum { EDG_PLAIN, EDG_TAGGED, EDG_BLOCK, EDG_RETRY };
#define EDG_NO_BLOCK 0xFFFF /* no block has size 7 */

/* Lays out header, token and options; code and payload may then be written. */
void edg_answer_begin(edg_answer *a, const edg_request *r, uint8_t kind, uint16_t block);
/* Header and tag; the length of the message. */
edg_len edg_answer_finish(edg_device *dev, edg_answer *a, const edg_request *r);
/* Code and payload of a reason, to be tagged if r->tag_len is not 0. */
void edg_answer_refuse(edg_answer *a, const edg_request *r, uint8_t reason);

/* ---- act.c, plain.c: write code and payload of the answer; a reason, or 0 ---- */

EDG_APART uint8_t edg_act(edg_device *dev, edg_answer *a, const edg_request *r);
EDG_APART uint8_t edg_act_plain(edg_device *dev, edg_answer *a, const edg_request *r, edg_len asked, unsigned link_flags);

/* ---- counter.c: values that only grow, in EEPROM slots written in turn ---- */

#define EDG_COUNTER_CELL 6
/* 1 and the value; 0: no valid slot, value 0; or a negative enum. */
int8_t edg_counter_read(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t *value);
/* Writes value into the slot after the newest one and reads it back; bad slots are skipped. */
int8_t edg_counter_write(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t value);
/* Makes the value at most this. */
int8_t edg_counter_lower(const edg_device *dev, uint16_t addr, uint8_t slots, uint32_t value);
int8_t edg_counter_erase(const edg_device *dev, uint16_t addr, uint8_t slots);

/* ---- EEPROM ---- */

#define EDG_NV_FACTORY (EDG_NV_BASE)       /* magic u16 | id (4) | Kf (32) | CRC u16 */
#define EDG_NV_COUNT (EDG_NV_BASE + 40)    /* claim count */
#define EDG_NV_BOOT (EDG_NV_BASE + 64)     /* boot counter */
#define EDG_NV_CLOCK (EDG_NV_BASE + 160)   /* high-water mark of the clock */
#define EDG_NV_OWNER (EDG_NV_BASE + 256)   /* claim record */
#define EDG_NV_BACKUP (EDG_NV_BASE + 320)  /* claim record, second copy */
#define EDG_NV_CELLS (EDG_NV_BASE + 384)   /* counts */
#define EDG_NV_LOGS (EDG_NV_BASE + EDG_NV_FIXED) /* cells of EEPROM logs */
#define EDG_COUNT_SLOTS 4
#define EDG_BOOT_SLOTS 16
#define EDG_CLOCK_SLOTS 16
#define EDG_TIME_BACK 5u /* bytes of a POST /t that may set the clock back */

int8_t edg_nv_read(const edg_device *dev, uint16_t addr, void *dst, uint8_t n);
int edg_nv_byte(const edg_device *dev, uint16_t addr); /* or a negative enum */
int8_t edg_nv_same(const edg_device *dev, uint16_t addr, const void *src, uint8_t n);  /* 1: that stands there; 0: it does not; or a negative enum */
int8_t edg_nv_write(const edg_device *dev, uint16_t addr, const void *src, uint8_t n); /* and reads it back */
/* A record written piece by piece, its CRC-16 last. After a piece that failed nothing is written any more, and seal says so. */
typedef struct edg_nv_writer {
    uint16_t at, crc;
    int8_t err;
} edg_nv_writer;
void edg_nv_begin(edg_nv_writer *w, uint16_t at);
void edg_nv_put(const edg_device *dev, edg_nv_writer *w, const uint8_t *src, uint8_t n);
int8_t edg_nv_seal(const edg_device *dev, edg_nv_writer *w);
/* 1: the n bytes at addr are followed by their CRC-16; 0: they are not; or a negative enum. */
int8_t edg_nv_check(const edg_device *dev, uint16_t addr, uint8_t n);
/* Of so many records, each of n bytes and their CRC-16, the valid one that is greatest in its first bytes, which go to `first`: its number, EDG_ERR_MALFORMED:
 * none is valid and `first` is zeros; or another negative enum. */
#define EDG_NV_FIRST 8 /* or all of a shorter record */
int edg_nv_newest(const edg_device *dev, uint16_t addr, uint8_t n, uint8_t slots, uint8_t *first);
int8_t edg_nv_fill(const edg_device *dev, uint16_t addr, uint8_t value, uint16_t n); /* writes only the bytes that differ */

/* ---- owner.c: the claim record ---- */

int8_t edg_owner_load(edg_device *dev);                                    /* sets dev->owner and the claimed flag */
int8_t edg_owner_write(edg_device *dev, const uint8_t hint[4], uint16_t epoch, const uint8_t ke[EDG_KEY]); /* generations 0; and loads it */
int8_t edg_owner_erase(edg_device *dev);
int8_t edg_owner_key(const edg_device *dev, uint8_t key[EDG_KEY]);         /* Ke */
int edg_owner_generation(const edg_device *dev, uint8_t branch);        /* or a negative enum */
int8_t edg_owner_set_generation(edg_device *dev, uint8_t branch, uint8_t generation);

/* ---- epoch.c ---- */

/* Ke and epoch become the next; every session ends with the answer (dev->closing). EDG_OK or a negative enum. */
int8_t edg_epoch_raise(edg_device *dev, uint16_t epoch, uint8_t r[EDG_KEY]);

/* ---- claim.c, clock.c ---- */

uint8_t edg_claim(edg_device *dev, const edg_request *r, unsigned link_flags, uint8_t *out, edg_len room, edg_len *n);
uint8_t edg_clock_set(edg_device *dev, uint8_t enable_days, uint32_t unix_seconds);
/* Sets the clock to an earlier time, too, and lowers the high-water mark: for the owner alone. A reason, or 0. */
uint8_t edg_clock_set_back(edg_device *dev, uint32_t unix_seconds);
uint32_t edg_clock_at(const edg_device *dev, uint32_t now); /* 0: unknown */

/* ---- log.c, cell.c, range.c, link.c ---- */

EDG_APART uint32_t edg_log_oldest(const edg_log *l); /* sequence of the oldest entry kept; 1 above the head's where none is */
EDG_APART edg_log *edg_log_at(edg_device *dev, uint8_t log);
void edg_log_spec_get(const edg_device *dev, uint8_t log, edg_log_spec *spec);
int edg_log_find(const edg_device *dev, const uint8_t *name, uint8_t n, edg_log_spec *spec); /* index, or -1 */
int8_t edg_logs_init(edg_device *dev);                                       /* reads EEPROM logs; RAM logs are empty */
uint32_t edg_log_incarnation(edg_device *dev, uint8_t log, const edg_log_spec *spec);
/* Kept entries go by how far they are behind the head. */
/* hash = h of that entry, from the hash before it and the payload */
void edg_log_step(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t back, const uint8_t *payload, uint8_t hash[16]);
uint8_t edg_log_place(const edg_log *l, const edg_log_spec *spec, uint8_t back); /* its cell */
EDG_APART uint16_t edg_log_offset(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t back); /* that cell's in dev->store, or behind EDG_NV_LOGS */

int8_t edg_cells_init(edg_device *dev, uint8_t log, const edg_log_spec *spec);
int8_t edg_cells_afford(const edg_device *dev, edg_log *l); /* 1, and takes one write off the budget; 0: it is spent */
/* The entry behind the head, its CRC last. */
int8_t edg_cells_write(const edg_device *dev, const edg_log *l, uint16_t offset, const uint8_t *entry, uint8_t size);
/* prev and payload may be NULL. */
int8_t edg_cells_read(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t back, uint8_t *prev, uint8_t *payload);

uint8_t edg_log_head(edg_device *dev, uint8_t log, const edg_log_spec *spec, uint8_t *out, edg_len *n);
uint8_t edg_log_range(edg_device *dev, uint8_t log, const edg_log_spec *spec, const edg_request *r, uint8_t *out, edg_len room, edg_len *n);

int edg_function_find(const edg_device *dev, const uint8_t *name, uint8_t n, edg_function_spec *spec); /* index, or -1 */

/* ---- reset.c ---- */

int8_t edg_past_erase(const edg_device *dev); /* clock mark and log cells: what an owner leaves */

/* ---- device flags ---- */

/* EDG_UNFIT: the service's tables do not fit, and nothing is answered. */
enum { EDG_CLAIMED = 1, EDG_BOOT_LOST = 2, EDG_CLOCK_KNOWN = 4, EDG_GREW = 8, EDG_UNFIT = 16 };

void edg_device_start(edg_device *dev, uint8_t cause);

#endif
