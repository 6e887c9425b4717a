#!/bin/sh
# Usage: circles.sh FILE.o... Fails, and names the files, where object files use each other in a circle: a file that defines a symbol must not need,
# directly or through others, the files that use it.
set -eu
pairs=$(mktemp)
trap 'rm -f "$pairs"' EXIT
nm -A "$@" | awk '
    { file = $1; sub(/:.*/, "", file); sub(/.*\//, "", file); sub(/\.o$/, ".c", file) }
    $(NF - 1) ~ /^[TDBRC]$/ { defined[$NF] = file; next }
    $(NF - 1) == "U" { used[file, $NF] }
    END {
        for (use in used) {
            split(use, part, SUBSEP)
            if (part[2] in defined && defined[part[2]] != part[1]) print part[1], defined[part[2]]
        }
    }' | sort -u >"$pairs"
[ -s "$pairs" ] || { echo "circles: nothing to check" >&2; exit 1; }
if ! loop=$(tsort <"$pairs" 2>&1 >/dev/null); then
    echo "circles: files use each other in a circle" >&2
    echo "$loop" >&2
    exit 1
fi
