#!/bin/bash
# jobd beside what a user would pick instead, measured against goals, side by side in one run: each of bench/sections prints its tables.
#
# usage: bench/run.sh [--quick] [--rounds N] [--slurm] [--atd] [--vm] [--out FILE] [SECTION…]
#
#   --quick            small sizes and 3 rounds: shows that it works, measures little
#   --slurm, --atd     also beside Slurm on one node, and beside at(1); they need their daemons installed, and root
#   --vm               also beside systemd-run, in the virtual machine of tests/vm
#   --out FILE         where the results go: bench/RESULTS.md for a whole run, else build/bench/RESULTS.md
set -uo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/bin
sections=() extra=() out= quick= rounds=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes ;;
    --rounds) rounds=$2; shift ;;
    --slurm | --atd | --vm) extra+=("${1#--}") ;;
    --out) out=$2; shift ;;
    --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
    -*) echo "run.sh: unknown option $1" >&2; exit 2 ;;
    *) [ -x "bench/sections/$1.sh" ] || { echo "run.sh: no section $1; there are: $(basename -a -s .sh bench/sections/*.sh | xargs)" >&2; exit 2; }
      sections+=("$1") ;;
  esac
  shift
done
[ -n "$rounds" ] || rounds=$([ -n "$quick" ] && echo 3 || echo 5)
if [ ${#sections[@]} = 0 ]; then
  sections=(jobs latency submit restart memory logs streams)
  [ -n "$quick" ] || : "${out:=bench/RESULTS.md}"
fi
: "${out:=build/bench/RESULTS.md}"
[ -x "$bin/bench_submit" ] || { echo 'run.sh: the benchmarks are not built: make bench does it' >&2; exit 1; }
export BENCH_QUICK=$quick BENCH_ROUNDS=$rounds
parts=$PWD/build/bench
mkdir -p "$parts"

# version PROGRAM OPTION: the first number of what it says, behind its name.
version() { command -v "$1" >/dev/null && printf '%s %s, ' "$1" "$("$1" "$2" 2>&1 | grep -oE '[0-9]+(\.[0-9]+)*' | head -1)"; }
machine() {
  local versions
  versions=$(for program in xargs make parallel bwrap runc crun; do version $program --version; done; version tsp -V; version slurmctld -V)
  echo "$(nproc) processors ($(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)), $(awk '/^MemTotal/ {printf "%.0f", $2 / 1048576}' /proc/meminfo) GiB," \
    "Linux $(uname -r), $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release); $(df --output=fstype "${TMPDIR:-/tmp}" | tail -1) under the" \
    "databases and logs. $("$bin/jobctl" version | head -1) ($(git describe --always --dirty 2>/dev/null || echo 'no revision')); ${versions%, }." \
    "$rounds rounds${quick:+, small sizes (--quick)}. Load at the start: $(cut -d' ' -f1-3 /proc/loadavg); $(date -u +%F)."
}

machine=$(machine)
failed=0 running=
trap '[ -z "$running" ] || { kill "$running"; wait "$running"; }; exit 130' INT TERM
for section in "${sections[@]}" "${extra[@]}"; do
  begin=$SECONDS
  echo "== $section" >&2
  "bench/sections/$section.sh" >"$parts/$section.md" &
  running=$!
  if ! wait $running; then
    failed=1
    printf '\nThis section failed.\n\n' >>"$parts/$section.md"
  fi
  running=
  echo "== $section: $((SECONDS - begin)) s" >&2
done
{
  echo '# Results'
  echo
  echo 'Written by `make bench`. Both sides in turn in one run; medians, with the least and the most, and ratios that are medians of the'
  echo 'ratios of pairs. Each table says what a side did besides, and which goal it was held against. Absolute times are of this machine'
  echo 'only. Where a job'"'"'s time goes is told in `docs/where-the-time-goes.md`.'
  echo
  echo "$machine"
  echo
  for section in "${sections[@]}" "${extra[@]}"; do cat "$parts/$section.md"; done
} | cat -s >"$parts/joined"
mv "$parts/joined" "$out"
[ -t 1 ] || cat "$out"
echo "results are in $out" >&2
exit $failed
