# What the sections of the benchmark share; they source it. It gives each a folder of its own, daemons in it, samples and their medians,
# and rows of tables, and takes everything away at the end.
#
# From run.sh: BENCH_QUICK (empty or yes), BENCH_ROUNDS. A section that is run alone takes the full size.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/build/bin
quick=${BENCH_QUICK:-}
rounds=${BENCH_ROUNDS:-5}
work=$(mktemp -d)
chmod 755 "$work"
declare -A launcher samples
at_end=()
trap finish EXIT
trap 'exit 130' INT TERM

# size FULL QUICK: one of them.
size() { if [ -n "$quick" ]; then echo "$2"; else echo "$1"; fi; }
has() { command -v "$1" >/dev/null; }
say() { echo "$*" >&2; }

# ---- daemons ----

# start NAME [JOBD OPTION…]: a daemon in a folder of its own; returns when it can be called. All have the same certificates.
start() {
  local name=$1 dir=$work/$1
  shift
  mkdir -p "$dir"
  [ -e "$work/certs" ] || "$root/certs/make-certs.sh" "$work/certs"
  cp -a "$work/certs" "$dir/"
  "$root/scripts/dev-setup.sh" "$dir"
  # For an ordinary user `open` is by grant.
  printf '\n[role.operator]\nprofiles = ["open", "standard", "strict"]\n' >>"$dir/certs/users.toml"
  "$bin/jobd" --config "$dir/jobd.toml" --set server.listen=127.0.0.1:0 --set log.level=error "$@" 2>"$dir/jobd.err" &
  launcher[$name]=$!
  disown $!  # its end is looked at, not reported by the shell
  use "$name"
}

# await_server NAME [OLD PID]: until its files say where it is; of another server than the old one.
await_server() {
  local dir=$work/$1 left=3000
  until [ -s "$dir/run/address" ] && [ -s "$dir/run/server.pid" ] && [ "$(server_pid "$1")" != "${2:-}" ]; do
    kill -0 "${launcher[$1]}" && [ $((left--)) -gt 0 ] || { cat "$dir/jobd.err" >&2; exit 1; }
    sleep 0.02
  done
}

# use NAME [USER]: jobctl and the benchmark's own clients call this daemon from now on.
use() {
  local certs=$work/certs user=${2:-operator}
  await_server "$1"
  JOBCTL_ADDRESS=$(<"$work/$1/run/address")
  export JOBCTL_ADDRESS JOBCTL_CA=$certs/ca.crt JOBCTL_CERT=$certs/$user.crt JOBCTL_KEY=$certs/$user.key
}
jobctl() { "$bin/jobctl" "$@"; }
server_pid() { cat "$work/$1/run/server.pid"; }
# The processes of a daemon besides its server: its shims.
shims() { tr ' ' '\n' <"/proc/${launcher[$1]}/task/${launcher[$1]}/children" | grep -vx "$(server_pid "$1")" | grep . || true; }

# start_hello: a service that does nothing, with the daemons' certificates; its address in `hello`.
start_hello() {
  coproc HELLO { exec "$bin/bench_hello" serve "$work"/certs/{ca.crt,server.crt,server.key}; }
  at_end+=("kill $HELLO_PID")
  read -r hello <&"${HELLO[0]}"
}

# running_jobs: of the daemon in use.
running_jobs() { jobctl admin status --json | grep -m1 -o '"running": *[0-9]*' | tr -dc 0-9; }
# await_running COUNT
await_running() { until [ "$(running_jobs)" -ge "$1" ]; do sleep 0.1; done; }

# queue COUNT: that many jobs in the daemon in use which wait and cannot start, the first one running. One batch for each 100,000.
queue() {
  local left=$1 part
  while [ "$left" -gt 0 ]; do
    part=$((left < 100000 ? left : 100000))
    awk -v n="$part" 'BEGIN {print "{\"argv\": [\"sleep\", \"infinity\"]}"; while (--n > 0) print "{\"argv\": [\"true\"]}"}' >"$work/queue.jsonl"
    jobctl submit --profile open --priority low --parallel 1 -f "$work/queue.jsonl" >/dev/null
    left=$((left - part))
  done
}

# stop NAME: cancels its jobs, waits for their end, ends it.
stop() {
  local name=$1 pid=${launcher[$1]}
  if kill -0 "$pid" 2>/dev/null; then
    (use "$name" admin && jobctl admin stop --now && for _ in $(seq 200); do [ "$(running_jobs)" != 0 ] || break; sleep 0.1; done) >/dev/null 2>&1 || true
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
  fi
  unset "launcher[$name]"
}

# Shims outlive daemons. Should any be left, known by our folder in their command line, their jobs are ended, and they end with them.
end_leftovers() {
  local pid
  for pid in $(grep -lsza "^$work/" /proc/[0-9]*/cmdline | cut -d/ -f3); do
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = jobd-shim ] || continue
    say "left over: a job of shim $pid"
    kill -9 $(cat "/proc/$pid/task/$pid/children" 2>/dev/null) 2>/dev/null || true
  done
}

finish() {
  local name command
  for command in "${at_end[@]}"; do eval "$command" || true; done
  for name in "${!launcher[@]}"; do stop "$name"; done
  end_leftovers
  rm -rf "$work"
}

# ---- what processes use ----

# Bytes that belong to these processes alone, in KiB.
private_kib() {
  local pid sum=0
  for pid in "$@"; do sum=$((sum + $(awk '/^Private_/ {sum += $2} END {print sum + 0}' "/proc/$pid/smaps_rollup"))); done
  echo "$sum"
}
# Processor time of the whole machine in ms, so far: what is measured has it to itself, and nothing that a job costs is missed, by
# whomever it is done and whenever that ends.
cpu_ms() { awk -v tick="$(getconf CLK_TCK)" '$1 == "cpu" {print ($2 + $3 + $4 + $7 + $8) * 1000 / tick}' /proc/stat; }
# Processor time, so far, of all threads of these processes in ns.
running_ns() {
  local pid files=()
  for pid in "$@"; do files+=(/proc/"$pid"/task/*/schedstat); done
  cat "${files[@]}" | awk '{sum += $1} END {printf "%.0f", sum}'
}
# Context switches, so far, of all threads of a process.
switches() { cat /proc/"$1"/task/*/status | awk '/ctxt_switches/ {sum += $2} END {print sum + 0}'; }
# traced PID CALLS COMMAND…: how many of these system calls (`all`, or names) a process and what it starts make while the command runs.
# Being traced they are slower, which is why times are taken elsewhere. Needs strace.
traced() {
  local tracer
  strace -f -c -U calls,name -e trace="$2" -o "$work/strace" -p "$1" 2>"$work/strace.err" &
  tracer=$!
  until grep -qs attached "$work/strace.err"; do kill -0 $tracer || return 1; sleep 0.05; done
  "${@:3}" >/dev/null
  kill -INT $tracer
  wait $tracer || true
  awk '$2 == "total" {print $1; found = 1} END {if (!found) print 0}' "$work/strace"
}

# ---- figures ----

# note KEY VALUE: one more sample.
note() { samples[$1]+="$2 "; }
# quantile KEY PART: the sample that PART (0 to 1) of them are not above.
quantile() { quantiles "$1" %s "$2"; }
# figure KEY [FORMAT]: median (least-most).
figure() { quantiles "$1" "${2:-%.0f}" 0.5 0 1 | awk '{print $1 " (" $2 "-" $3 ")"}'; }
quantiles() {
  tr ' ' '\n' <<<"${samples[$1]}" | grep . | sort -g | awk -v format="$2" -v parts="${*:3}" '
    {v[NR] = $1}
    END {
      n = split(parts, part, " ")
      for (k = 1; k <= n; ++k) {
        i = int(part[k] * NR) + 1
        if (i > NR) i = NR
        printf format " ", v[i]
      }
    }' | sed 's/ $//'
}
# ratio A B: the median of the ratios of pairs; `least` or `most` as third for those.
ratio() {
  paste <(tr ' ' '\n' <<<"${samples[$1]}" | grep .) <(tr ' ' '\n' <<<"${samples[$2]}" | grep .) | awk '$2 > 0 {print $1 / $2}' | sort -g |
    awk -v which="${3:-median}" '{v[NR] = $1} END {printf "%.2f", which == "least" ? v[1] : which == "most" ? v[NR] : v[int(NR / 2) + 1]}'
}
# met TEXT VALUE ge|le BOUND: a goal and whether it is met. TEXT says the bound too.
met() {
  awk -v text="$1" -v value="$2" -v op="$3" -v bound="$4" 'BEGIN {
    ok = op == "ge" ? value >= bound : value <= bound
    value = sprintf(value < 1000 ? "%.3g" : "%.0f", value)
    if (ok) printf "%s: yes (%s)", text, value
    else if (bound > 0) printf "%s: **no** (%s, %.2f x the goal)", text, value, value / bound
    else printf "%s: **no** (%s)", text, value
  }'
}
now_us() { echo "${EPOCHREALTIME/./}"; }
calc() { awk "BEGIN {printf \"%.${2:-2}f\", $1}"; }

# What every section says below its tables.
conditions() {
  echo
  echo "$rounds rounds in turn; load $(cut -d' ' -f1-3 /proc/loadavg) at the end.${*:+ $*}"
  echo
}
