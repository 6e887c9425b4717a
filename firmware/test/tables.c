/* Lists that must not compile, one for each VARIANT, and some that must: test/tables.sh. */
#define GOOD(SAMPLED, LOG, FUNCTION)                            \
    SAMPLED(READING, "reading", 2, 16, 0, 10, sample)           \
    LOG(EVENT, "events", 4, 16, EDG_LOG_EEPROM | EDG_LOG_POST)  \
    FUNCTION(VALVE, "valve", U8, 0, 100, 4, call)

#if VARIANT == 0 /* as it should be */
#define LIST GOOD
#elif VARIANT == 1 /* a log more than EDG_LOGS */
#define LIST(S, L, F) GOOD(S, L, F) L(MORE, "more", 1, 1, 0)
#elif VARIANT == 2 /* a byte more than EDG_LOG_STORE */
#define LIST(S, L, F) S(READING, "reading", 2, 32, 0, 10, sample) F(VALVE, "valve", U8, 0, 100, 5, call)
#elif VARIANT == 3 /* an entry more than the EEPROM holds */
#define LIST(S, L, F) L(EVENT, "events", 4, 20, EDG_LOG_EEPROM) F(VALVE, "valve", U8, 0, 100, 4, call)
#elif VARIANT == 4
#define LIST(S, L, F) L(EVENT, "events", 33, 2, 0) F(VALVE, "valve", U8, 0, 100, 1, call)
#elif VARIANT == 5
#define LIST(S, L, F) L(EVENT, "events", 4, 1, EDG_LOG_EEPROM) F(VALVE, "valve", U8, 0, 100, 4, call)
#elif VARIANT == 6
#define LIST(S, L, F) L(EVENT, "events", 0, 2, 0) F(VALVE, "valve", U8, 0, 100, 4, call)
#elif VARIANT == 7 /* 256 entries of a byte */
#define LIST(S, L, F) L(EVENT, "events", 1, 256, 0) F(VALVE, "valve", U8, 0, 100, 4, call)
#elif VARIANT == 8
#define LIST(S, L, F) L(EVENT, "a-name-of-more-than-31-characters", 1, 2, 0) F(VALVE, "valve", U8, 0, 100, 4, call)
#elif VARIANT == 9
#define LIST(S, L, F) L(EVENT, "events", 1, 2, 0) F(VALVE, "valve", U8, 100, 0, 4, call)
#elif VARIANT == 10
#define LIST(S, L, F) S(READING, "reading", 2, 16, 0, 6554, sample) F(VALVE, "valve", U8, 0, 100, 4, call)
#elif VARIANT == 11 /* the limits are taken from the list: whatever it holds fits (compiled with -DFROM_LIST) */
#define LIST(S, L, F) GOOD(S, L, F) L(MORE, "more", 32, 8, EDG_LOG_POST) L(LAST, "last", 1, 255, 0)
#endif

#include "../core/edg.h"

EDG_TABLE_INDEXES(LIST);

static void sample(edg_device *dev, uint8_t *entry)
{
    (void)dev;
    entry[0] = entry[1] = 0;
}

static int call(edg_device *dev, const uint8_t *arg, uint8_t n, uint8_t *result)
{
    (void)dev;
    (void)n;
    result[0] = arg[0];
    return 1;
}

EDG_TABLES(LIST, "board", "tables/1.0");

extern const edg_service tables_service;
const edg_service tables_service EDG_PGM = EDG_TABLE_SERVICE(edg_links_made, NULL, NULL, NULL);
