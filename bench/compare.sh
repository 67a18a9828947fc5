#!/bin/bash
# Two revisions of jobd, piece by piece: builds the bench_pieces of both in a temporary folder, runs them in turn (A B A B …), and
# prints the median of each benchmark on both sides, their ratio, and the spread from least to most.
#
# usage: bench/compare.sh REV_A [REV_B] [-- FLAG…]
#   REV_B  by default the working tree as it is now
#   FLAG   of Google Benchmark: --benchmark_filter=Queue, --benchmark_min_time=0.5 …
#   ROUNDS=N in the environment: at least 5, which is the default
#
# Compared is processor time; the wall clock where a benchmark's name ends in real_time. Marked is what differs by more than the
# spread: all rounds of one side are above all those of the other; in capitals what is slower by more than 10 % even so. Below that
# it is often no more than where the linker put the code. A revision that has no bench_pieces yet is measured by those of the other.
# Status 0; 1 when something is in capitals; 2 usage; 3 when one cannot be built or run.
set -uo pipefail

usage() {
  [ $# -eq 0 ] || echo "compare.sh: $*" >&2
  sed -n 's/^# usage: /usage: /p' "$0" >&2
  exit 2
}
root=$(cd "$(dirname "$0")/.." && pwd)
here=$(dirname "$(realpath "$0")")
revisions=() flags=()
while [ $# -gt 0 ]; do
  case $1 in
    --) shift; flags=("$@"); break ;;
    -*) usage "what is $1? Flags of the benchmarks stand behind --" ;;
    *) revisions+=("$1"); shift ;;
  esac
done
[ ${#revisions[@]} -ge 1 ] && [ ${#revisions[@]} -le 2 ] || usage
rounds=${ROUNDS:-5}
[[ $rounds =~ ^[0-9]+$ ]] && [ "$rounds" -ge 5 ] || usage "ROUNDS must be 5 or more"
for revision in "${revisions[@]}"; do
  git -C "$root" rev-parse --quiet --verify "$revision^{commit}" >/dev/null || usage "there is no revision $revision"
done

work=$(mktemp -d)
cleanup() {
  for side in a b; do
    [ ! -e "$work/$side/.git" ] || git -C "$root" worktree remove --force "$work/$side"
  done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
fail() {
  echo "compare.sh: $1" >&2
  [ $# -lt 2 ] || tail -n 30 "$2" >&2
  exit 3
}

checkout() { # SIDE REVISION
  git -C "$root" worktree add --quiet --detach "$work/$1" "$2" || fail "cannot check out $2"
}
# The working tree is copied, so that one can go on working, and so that both sides are alike to a compiler cache.
snapshot() { # SIDE
  mkdir "$work/$1"
  (cd "$root" && git ls-files -co --exclude-standard -z | while IFS= read -rd '' file; do
    [ ! -e "$file" ] || printf '%s\0' "$file"
  done | tar --null -T - -cf -) | tar -xf - -C "$work/$1" || fail "cannot copy the working tree"
}
build() { # SIDE NAME
  local tree=$work/$1 options=()
  echo "building $2" >&2
  if command -v ccache >/dev/null; then
    options=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    export CCACHE_BASEDIR=$tree CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
  fi
  cmake -S "$tree" -B "$tree/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DJOBD_TESTS=OFF -DJOBD_BENCH=ON "${options[@]}" \
    >"$work/$1.log" 2>&1 && cmake --build "$tree/build" --target bench_pieces >>"$work/$1.log" 2>&1 ||
    fail "$2 does not build" "$work/$1.log"
}

name_a=${revisions[0]} name_b=${revisions[1]:-the working tree}
checkout a "$name_a"
if [ ${#revisions[@]} = 2 ]; then checkout b "$name_b"; else snapshot b; fi
for pair in a:b b:a; do
  to=$work/${pair%:*} from=$work/${pair#*:}
  [ -e "$to/bench/pieces" ] && continue
  [ -e "$from/bench/pieces" ] || fail "neither revision has bench/pieces"
  [ "$to" = "$work/a" ] && name=$name_a || name=$name_b
  echo "$name has no bench/pieces: it is measured by those of the other" >&2
  rm -rf "$to/bench" && cp -r "$from/bench" "$to/bench"
done
build a "$name_a"
build b "$name_b"

for ((round = 1; round <= rounds; ++round)); do
  for side in a b; do
    echo -ne "\rround $round of $rounds, $side " >&2
    "$work/$side/build/bin/bench_pieces" --benchmark_min_time=0.1 "${flags[@]}" --benchmark_format=json \
      >"$work/$side.$round.json" 2>"$work/$side.log" || fail "bench_pieces of $side failed" "$work/$side.log"
  done
done
echo -e "\r" >&2

echo "A: $name_a $(git -C "$root" rev-parse --short "$name_a")"
echo "B: $name_b $([ ${#revisions[@]} = 1 ] || git -C "$root" rev-parse --short "$name_b")"
awk -f "$here/compare.awk" "$work"/a.*.json "$work"/b.*.json
