/* A service's tables, all made from one list: specs, indexes, the text of /.well-known/core, and the RAM and EEPROM they take. A list whose sum does not
 * fit the limits of edg_config.h does not compile.
 *
 *     #define HOUSE_TABLE(SAMPLED, LOG, FUNCTION)                                                    \
 *         SAMPLED(HOUSE_TEMPERATURE, "temperature", 2, 32, 0, 10, sample_temperature)                \
 *         LOG(HOUSE_EVENT, "events", 4, 16, EDG_LOG_EEPROM | EDG_LOG_POST)                           \
 *         FUNCTION(HOUSE_VALVE, "valve", U8, 0, 100, 4, call_valve)
 *
 *     SAMPLED(index, name, bytes of an entry, entries kept, flags, seconds between samples, sample)
 *     LOG(index, name, bytes of an entry, entries kept, flags)
 *     FUNCTION(index, name, argument type U8 U16 U32 I8 I16 I32, least, greatest, calls kept in its log, call)
 *
 *     EDG_TABLE_INDEXES(HOUSE_TABLE);          in the service's header: the indexes of the logs, in the order of the list
 *     EDG_TABLES(HOUSE_TABLE, "board", "house/1.0");   in its .c file: tables and checks; then
 *     const edg_service house_service EDG_PGM = EDG_TABLE_SERVICE(edg_links_made, start, poll);
 *
 * A list has at least one log and one function; a service without either writes its tables by hand. The core checks all tables again when it starts, because
 * it may have been compiled with other limits.
 * The port's configuration takes the limits from the list: EDG_LOGS is EDG_TABLE_LOGS(HOUSE_TABLE), EDG_LOG_STORE is EDG_TABLE_STORE(HOUSE_TABLE). */
#ifndef EDG_TABLE_H
#define EDG_TABLE_H

#define EDG_MAX_ENTRY 32 /* bytes of an entry */
#define EDG_MAX_NAME 31  /* bytes of the name of a log or function */
#define EDG_CELL 26      /* bytes of a cell in EEPROM without its entry */
#define EDG_NV_FIXED 448 /* bytes of EEPROM in front of the cells */

#define EDG_T_TEXT(x) #x
#define EDG_T_NUMBER(x) EDG_T_TEXT(x)
#define EDG_T_SIZE_U8 1
#define EDG_T_SIZE_U16 2
#define EDG_T_SIZE_U32 4
#define EDG_T_SIZE_I8 1
#define EDG_T_SIZE_I16 2
#define EDG_T_SIZE_I32 4
#define EDG_T_NAME_U8 "u8"
#define EDG_T_NAME_U16 "u16"
#define EDG_T_NAME_U32 "u32"
#define EDG_T_NAME_I8 "i8"
#define EDG_T_NAME_I16 "i16"
#define EDG_T_NAME_I32 "i32"
#define EDG_T_NONE_SAMPLED(id, name, size, capacity, flags, seconds, sample)
#define EDG_T_NONE_LOG(id, name, size, capacity, flags)
#define EDG_T_NONE_FUNCTION(id, name, type, least, greatest, kept, call)

/* How many logs, those of functions included, and the bytes of RAM that their entries take. */
#define EDG_T_ONE_SAMPLED(id, name, size, capacity, flags, seconds, sample) +1
#define EDG_T_ONE_LOG(id, name, size, capacity, flags) +1
#define EDG_T_ONE_FUNCTION(id, name, type, least, greatest, kept, call) +1
#define EDG_TABLE_LOGS(table) (0 table(EDG_T_ONE_SAMPLED, EDG_T_ONE_LOG, EDG_T_ONE_FUNCTION))

#define EDG_T_RAM_SAMPLED(id, name, size, capacity, flags, seconds, sample) EDG_T_RAM_LOG(id, name, size, capacity, flags)
#define EDG_T_RAM_LOG(id, name, size, capacity, flags) +(((flags) & EDG_LOG_EEPROM) ? 0UL : (size) * (unsigned long)(capacity))
#define EDG_T_RAM_FUNCTION(id, name, type, least, greatest, kept, call) +EDG_T_SIZE_##type * (unsigned long)(kept)
#define EDG_TABLE_STORE(table) (0UL table(EDG_T_RAM_SAMPLED, EDG_T_RAM_LOG, EDG_T_RAM_FUNCTION))

/* The bytes of EEPROM that its entries take. */
#define EDG_T_NV_SAMPLED(id, name, size, capacity, flags, seconds, sample) EDG_T_NV_LOG(id, name, size, capacity, flags)
#define EDG_T_NV_LOG(id, name, size, capacity, flags) +(((flags) & EDG_LOG_EEPROM) ? (EDG_CELL + (size)) * (unsigned long)(capacity) : 0UL)
#define EDG_TABLE_NV(table) (0UL table(EDG_T_NV_SAMPLED, EDG_T_NV_LOG, EDG_T_NONE_FUNCTION))

#define EDG_T_INDEX_SAMPLED(id, name, size, capacity, flags, seconds, sample) id,
#define EDG_T_INDEX_LOG(id, name, size, capacity, flags) id,
#define EDG_T_INDEX_FUNCTION(id, name, type, least, greatest, kept, call) id,
#define EDG_TABLE_INDEXES(table) enum { table(EDG_T_INDEX_SAMPLED, EDG_T_INDEX_LOG, EDG_T_INDEX_FUNCTION) table##_LOGS }

/* A negative array size is an error that names what does not fit. */
#define EDG_T_FITS(what, condition) typedef char what[(condition) ? 1 : -1]
#define EDG_T_CHECK_SAMPLED(id, name, size, capacity, flags, seconds, sample)                                  \
    EDG_T_CHECK_LOG(id, name, size, capacity, flags)                                                           \
    EDG_T_FITS(id##_period_is_at_most_6553_seconds, (seconds) >= 1 && (seconds) <= 6553);
#define EDG_T_CHECK_LOG(id, name, size, capacity, flags)                                                       \
    EDG_T_FITS(id##_entry_has_1_to_32_bytes, (size) >= 1 && (size) <= EDG_MAX_ENTRY);                          \
    EDG_T_FITS(id##_keeps_1_to_255_entries_in_EEPROM_2, (capacity) >= (((flags) & EDG_LOG_EEPROM) ? 2 : 1) && (capacity) <= 255); \
    EDG_T_FITS(id##_name_has_1_to_31_bytes, sizeof(name) > 1 && sizeof(name) <= EDG_MAX_NAME + 1);
#define EDG_T_CHECK_FUNCTION(id, name, type, least, greatest, kept, call)                                      \
    EDG_T_FITS(id##_keeps_1_to_255_calls, (kept) >= 1 && (kept) <= 255);                                       \
    EDG_T_FITS(id##_least_is_not_above_greatest, (least) <= (greatest));                                       \
    EDG_T_FITS(id##_name_has_1_to_31_bytes, sizeof(name) > 1 && sizeof(name) <= EDG_MAX_NAME + 1);

#define EDG_T_STRING_SAMPLED(id, name, size, capacity, flags, seconds, sample) static const char id##_name[] EDG_PGM = name;
#define EDG_T_STRING_LOG(id, name, size, capacity, flags) static const char id##_name[] EDG_PGM = name;
#define EDG_T_STRING_FUNCTION(id, name, type, least, greatest, kept, call) static const char id##_name[] EDG_PGM = name;

#define EDG_T_SPEC_SAMPLED(id, name, size, capacity, flags, seconds, sample) {id##_name, size, capacity, flags, 10 * (seconds), sample},
#define EDG_T_SPEC_LOG(id, name, size, capacity, flags) {id##_name, size, capacity, flags, 0, NULL},
#define EDG_T_SPEC_FUNCTION(id, name, type, least, greatest, kept, call) {id##_name, EDG_T_SIZE_##type, kept, EDG_LOG_FUNCTION, 0, NULL},
#define EDG_T_CALL_FUNCTION(id, name, type, least, greatest, kept, call) {id##_name, id, EDG_ARG_##type, least, greatest, call},

#define EDG_T_LINK_SAMPLED(id, name, size, capacity, flags, seconds, sample) "</l/" name ">;rt=\"edg.log\";p=" EDG_T_NUMBER(seconds) ";sz=" EDG_T_NUMBER(size) ","
#define EDG_T_LINK_LOG(id, name, size, capacity, flags) "</l/" name ">;rt=\"edg.log\";sz=" EDG_T_NUMBER(size) ","
#define EDG_T_LINK_FUNCTION(id, name, type, least, greatest, kept, call) \
    "</f/" name ">;rt=\"edg.fn\";arg=\"" EDG_T_NAME_##type ":" EDG_T_NUMBER(least) ".." EDG_T_NUMBER(greatest) "\","
/* The text of /.well-known/core, as edg_links_made makes it; sizes, seconds and bounds must be plain numbers. */
#define EDG_TABLE_LINKS(table, board, firmware)                                     \
    table(EDG_T_LINK_SAMPLED, EDG_T_LINK_LOG, EDG_T_NONE_FUNCTION)                  \
    table(EDG_T_NONE_SAMPLED, EDG_T_NONE_LOG, EDG_T_LINK_FUNCTION) "</>;rt=\"edg.dev\";bd=\"" board "\";fw=\"" firmware "\";v=1"

#define EDG_TABLES(table, board, firmware)                                                                                          \
    table(EDG_T_CHECK_SAMPLED, EDG_T_CHECK_LOG, EDG_T_CHECK_FUNCTION)                                                              \
    EDG_T_FITS(logs_are_at_most_EDG_LOGS, EDG_TABLE_LOGS(table) <= EDG_LOGS);                                                      \
    EDG_T_FITS(entries_in_RAM_are_at_most_EDG_LOG_STORE_bytes, EDG_TABLE_STORE(table) <= EDG_LOG_STORE);                           \
    EDG_T_FITS(entries_in_EEPROM_end_within_EDG_NV_SIZE, EDG_TABLE_NV(table) <= EDG_NV_SIZE - EDG_NV_FIXED);                       \
    table(EDG_T_STRING_SAMPLED, EDG_T_STRING_LOG, EDG_T_STRING_FUNCTION)                                                           \
    static const char table_board[] EDG_PGM = board;                                                                               \
    static const char table_firmware[] EDG_PGM = firmware;                                                                         \
    static const edg_log_spec table_logs[] EDG_PGM = {table(EDG_T_SPEC_SAMPLED, EDG_T_SPEC_LOG, EDG_T_SPEC_FUNCTION)};             \
    static const edg_function_spec table_functions[] EDG_PGM = {table(EDG_T_NONE_SAMPLED, EDG_T_NONE_LOG, EDG_T_CALL_FUNCTION)}

#define EDG_TABLE_SERVICE(links, text, start, poll)                                                                    \
    {table_board, table_firmware, table_logs, table_functions, sizeof table_logs / sizeof table_logs[0],               \
     sizeof table_functions / sizeof table_functions[0], links, text, start, poll}

#endif
