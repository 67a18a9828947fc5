#!/bin/bash
# jobd beside what a user would pick instead, side by side in one run: how many short jobs a second, two wide. Medians with minimum and
# maximum of ROUNDS rounds, and the ratio to the first line. Peers that are not installed are left out, and said.
#
# usage: bench/run.sh [JOBS] [ROUNDS]      writes bench/RESULTS.md, too
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${1:-2000} rounds=${2:-5}
bin=$PWD/build/bin
work=$(mktemp -d)
chmod 755 "$work"
trap 'kill "$jobd" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT

scripts/dev-setup.sh "$work"
# For an ordinary user `open` is by grant.
printf '\n[role.operator]\nprofiles = ["open", "standard", "strict"]\n' >>"$work/certs/users.toml"
"$bin/jobd" --config "$work/jobd.toml" --set server.listen=127.0.0.1:0 --set limits.max_running=2 --set log.level=error &
jobd=$!
until [ -s "$work/run/address" ]; do kill -0 $jobd; sleep 0.05; done
JOBCTL_ADDRESS=$(<"$work/run/address")
export JOBCTL_ADDRESS JOBCTL_CA=$work/certs/ca.crt JOBCTL_CERT=$work/certs/operator.crt JOBCTL_KEY=$work/certs/operator.key

seq "$jobs" | sed 's/.*/{"argv": ["true"]}/' >"$work/true.jsonl"
seq "$jobs" | sed 's/.*/{"argv": ["echo", "&"]}/' >"$work/echo.jsonl"
batch() { "$bin/jobctl" submit --profile "$1" --wait -f "$work/$2.jsonl" >/dev/null; }

# name|what it does and does not do|command
cases=(
  "xargs -P2, true|no state, no output kept|seq $jobs | xargs -P2 -n1 true"
  "jobd open, true|durable, exit codes, cgroup each|batch open true"
  "jobd standard, true|as above, and isolated|batch standard true"
  "jobd strict, true|as above, no network, Landlock|batch strict true"
  "xargs -P2, echo to a file each|output kept|seq $jobs | xargs -P2 -I{} sh -c 'exec echo {} >$work/out.{}'"
  "jobd open, echo|durable, output kept with times|batch open echo"
)
command -v make >/dev/null && {
  { printf 'all:'; seq -f ' t%.0f' "$jobs" | tr -d '\n'; echo; echo '%:'; printf '\t@true\n'; } >"$work/Makefile"
  cases+=("make -j2, true|no state, no output kept|make -s -j2 -f $work/Makefile all")
}
command -v nq >/dev/null && cases+=("nq, true (one wide)|a file per job|cd $work && for i in \$(seq $((jobs / 10))); do NQDIR=$work/nq nq -q true; done; NQDIR=$work/nq nq -w")
command -v parallel >/dev/null && cases+=("GNU parallel -j2, true|no state|seq $((jobs / 10)) | parallel -j2 true")
command -v tsp >/dev/null && cases+=("task-spooler, true|state in memory|tsp -S 2; for i in \$(seq $jobs); do tsp -n true >/dev/null; done; tsp -w")

declare -A times
for ((round = 1; round <= rounds; ++round)); do
  for entry in "${cases[@]}"; do
    IFS='|' read -r name _ command <<<"$entry"
    command=${entry#*|*|}
    begin=${EPOCHREALTIME/./}
    eval "$command" >/dev/null 2>&1
    end=${EPOCHREALTIME/./}
    count=$jobs
    [[ $name == GNU* || $name == nq* ]] && count=$((jobs / 10))
    times[$name]+="$((count * 1000000 / (end - begin))) "
    rm -f "$work"/out.*
  done
done

{
  echo "| what | jobs/s, median (min-max) | ratio to the first | does |"
  echo "|---|---|---|---|"
  first=
  for entry in "${cases[@]}"; do
    IFS='|' read -r name does _ <<<"$entry"
    read -ra sorted <<<"$(tr ' ' '\n' <<<"${times[$name]}" | sed '/^$/d' | sort -n | tr '\n' ' ')"
    median=${sorted[$((${#sorted[@]} / 2))]}
    first=${first:-$median}
    echo "| $name | $median (${sorted[0]}-${sorted[-1]}) | $(awk "BEGIN {printf \"%.2f\", $median / $first}") | $does |"
  done
  echo
  echo "$jobs jobs, two wide, $rounds rounds in turn; $(nproc) processors ($(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)), Linux $(uname -r)," \
    "load $(cut -d' ' -f1-3 /proc/loadavg); jobd $("$bin/jobctl" version --json | sed -n 's/.*"version": "\(.*\)".*/\1/p' | head -1)."
} | tee "$work/table"
{
  echo "# Results"
  echo
  echo "Written by \`make bench\`. Each side does the same jobs in turn in one run; what it does besides is in the last column. Where a job's"
  echo "time goes is told in \`docs/where-the-time-goes.md\`."
  echo
  cat "$work/table"
} >bench/RESULTS.md
