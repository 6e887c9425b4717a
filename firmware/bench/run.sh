#!/bin/sh
# Runs an image in QEMU and counts between its marks:  run.sh IMAGE COUNT.so COUNTS QEMU...
set -eu
image=$1 plugin=$2 counts=$3
shift 3
# Bit 0 of an Arm function's address says "Thumb"; it is none of the address.
thumb=$(readelf -h "$image" | grep -c 'Machine:.*ARM' || true)
marks=$(nm "$image" | sed -n 's/^\([0-9a-f]*\) T edg_mark_\(.*\)$/\2 \1/p' | while read -r name at; do printf ',%s=0x%x' "$name" $((0x$at - thumb)); done)
rm -f "$counts" "$counts.new"
timeout 300 "$@" -display none -monitor none -serial none -semihosting -plugin "$plugin,out=$counts.new$marks" -kernel "$image" </dev/null >"$counts.log" 2>&1 || {
	cat "$counts.log" >&2
	echo "run.sh: $image failed" >&2
	exit 1
}
mv "$counts.new" "$counts"
