#!/bin/sh
# Builds the sample handlers. The .wasm files are committed, so that building Edgeistry needs no clang.
set -eu
cd "$(dirname "$0")"
for source in *.c; do
	clang --target=wasm32 -mcpu=mvp -std=c99 -Os -nostdlib \
		-Wall -Wextra -Wpedantic -Wconversion -Werror \
		-Wl,--no-entry -Wl,-z,stack-size=1024 -Wl,--strip-all \
		-o "${source%.c}.wasm" "$source"
	chmod 644 "${source%.c}.wasm"
done
