#!/bin/sh
# Fetches and unpacks the source of Debian's package bearssl into DIR, which is only measured against and never kept in the repository.
# The archive is the one this machine's apt is set up for; apt checks its signature. No root needed.
set -eu
dir=$1
[ -e "$dir/source/inc/bearssl.h" ] && exit 0
rm -rf "$dir"
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/parts"
dir=$(cd "$dir" && pwd)
apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | sort -u >"$dir/sources.list"
[ -s "$dir/sources.list" ] || { echo "bearssl: apt knows no Debian archive; run apt-get update" >&2; exit 1; }
set -- -q -o "Dir::Etc::SourceList=$dir/sources.list" -o "Dir::Etc::SourceParts=$dir/parts" -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root -o Debug::NoLocking=1
cd "$dir"
{ apt-get "$@" update && apt-get "$@" --only-source source bearssl; } >fetch.log 2>&1 || { tail -n 20 fetch.log >&2; exit 1; }
rm -rf lists cache
mv bearssl-*/ source
