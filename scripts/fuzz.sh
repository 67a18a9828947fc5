#!/bin/bash
# Builds the fuzz targets with clang and runs each for a while; a finding fails.
#
# usage: fuzz.sh SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?usage: fuzz.sh SECONDS}
command -v clang++ >/dev/null || { echo "make fuzz needs clang and libclang-rt-dev: apt install clang libclang-rt-14-dev" >&2; exit 1; }
cmake --preset fuzz >/dev/null
cmake --build build-fuzz -j "$(nproc)" --target fuzzers
for target in build-fuzz/bin/fuzz_*; do
  corpus=build-fuzz/corpus/${target##*/}
  mkdir -p "$corpus"
  echo "${target##*/}: $seconds s"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 "$corpus"
done
