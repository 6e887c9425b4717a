#!/bin/sh
# Usage: tables.sh. Each list of test/tables.c that does not fit is refused by the host's compiler and by avr-gcc, with a message that names what does not
# fit; those that fit are not.
set -eu
cd "$(dirname "$0")/.."
tests=0
compile() { # compiler variant [flags]
    what=$1 variant=$2; shift 2
    $what -std=c99 -Wall -Wextra -Wpedantic -Wno-unused-function -Wno-unused-local-typedefs -Werror -DVARIANT="$variant" "$@" -c -o "$object" test/tables.c 2>&1
}
refused() { # variant message
    for compiler in ${CC:-gcc} "avr-gcc -mmcu=atmega328p"; do
        if out=$(compile "$compiler" "$1"); then echo "$compiler: variant $1 compiles, want an error with $2"; exit 1; fi
        case $out in *"$2"*) ;; *) echo "$compiler: variant $1: want an error with $2, got:"; echo "$out"; exit 1 ;; esac
        tests=$((tests + 1))
    done
}
accepted() { # variant [flags]
    for compiler in ${CC:-gcc} "avr-gcc -mmcu=atmega328p"; do
        compile "$compiler" "$@" || { echo "$compiler: variant $1 does not compile"; exit 1; }
        tests=$((tests + 1))
    done
}
object=$(mktemp)
trap 'rm -f "$object"' EXIT
accepted 0
accepted 11 '-DEDG_LOGS=EDG_TABLE_LOGS(LIST)' '-DEDG_LOG_STORE=EDG_TABLE_STORE(LIST)'
refused 1 logs_are_at_most_EDG_LOGS
refused 2 entries_in_RAM_are_at_most_EDG_LOG_STORE_bytes
refused 3 entries_in_EEPROM_end_within_EDG_NV_SIZE
refused 4 EVENT_entry_has_1_to_32_bytes
refused 5 EVENT_keeps_1_to_255_entries_in_EEPROM_2
refused 6 EVENT_entry_has_1_to_32_bytes
refused 7 EVENT_keeps_1_to_255_entries_in_EEPROM_2
refused 8 EVENT_name_has_1_to_31_bytes
refused 9 VALVE_least_is_not_above_greatest
refused 10 READING_period_is_at_most_6553_seconds
echo "tables: $tests builds as expected"
