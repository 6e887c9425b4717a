#!/bin/sh
# Runs an image in QEMU and counts between its marks:  run.sh IMAGE COUNT.so COUNTS QEMU...
set -eu
image=$1 plugin=$2 counts=$3
shift 3
marks=$(nm "$image" | sed -n 's/^\([0-9a-f]*\) T edg_mark_\(.*\)$/,\2=0x\1/p' | tr -d '\n')
rm -f "$counts" "$counts.new"
timeout 300 "$@" -display none -monitor none -serial none -semihosting -plugin "$plugin,out=$counts.new$marks" -kernel "$image" </dev/null
mv "$counts.new" "$counts"
