#!/bin/bash
# Short jobs a second: jobd at several widths and profiles, with nothing else waiting and with much, beside what a user would pick instead.
. "$(dirname -- "$0")/../lib.sh"
. "$root/bench/peers.sh"

jobs=$(size 2000 150)
behind=$(size 100000 10000)
seq "$jobs" | sed 's/.*/{"argv": ["true"]}/' >"$work/true.jsonl"
seq "$jobs" | sed 's/.*/{"argv": ["echo", "&"]}/' >"$work/echo.jsonl"

for width in 1 2 8; do start "wide$width" --set limits.max_running="$width"; done
# One of the three slots is taken by a job that sleeps, whose batch has the others wait behind it.
start behind --set limits.max_running=3
queue "$behind"

batch() {
  use "$1"
  jobctl submit --profile "$2" --wait -f "$work/$3.jsonl" >/dev/null
}

# key|what|does and does not|jobs|command
arms=()
jobd_arm() { arms+=("$1|$2|$3|$jobs|batch $4 $5 $6"); }
durable='durable, exit codes, cgroup each'
jobd_arm open 'jobd open, `true`, 2 wide' "$durable, nothing isolated" wide2 open true
peer_arms "$jobs"
jobd_arm standard 'jobd standard, `true`, 2 wide' "$durable; pid, ipc, uts, mount namespaces, seccomp filter" wide2 standard true
jobd_arm strict 'jobd strict, `true`, 2 wide' 'as standard; no network, read-only system, Landlock' wide2 strict true
jobd_arm echo 'jobd open, `echo`, 2 wide' "$durable, output kept with times" wide2 open echo
jobd_arm open1 'jobd open, `true`, 1 wide' "$durable" wide1 open true
jobd_arm open8 'jobd open, `true`, 8 wide' "$durable" wide8 open true
jobd_arm standard8 'jobd standard, `true`, 8 wide' 'as standard above' wide8 standard true
jobd_arm behind "jobd open, \`true\`, 2 wide, $behind others queued" "$durable" behind open true
jobd_arm behind_standard "jobd standard, \`true\`, 2 wide, $behind others queued" 'as standard above' behind standard true

# What is held against one another runs one after the other, so that both meet the same neighbours.
all=("${arms[@]}")
arms=()
for key in open xargs tsp standard bwrap runc crun strict echo xargs_file tsp_file open1 open8 standard8 behind behind_standard \
  spawn make parallel results nq; do
  for entry in "${all[@]}"; do [[ $entry != "$key|"* ]] || arms+=("$entry"); done
done

# arm ENTRY: runs it once and notes its rate and its processor time per job.
arm() {
  local key count command begin end before
  IFS='|' read -r key _ _ count command <<<"$1"
  before=$(cpu_ms)
  begin=$(now_us)
  eval "$command" >/dev/null 2>"$work/arm.err" || { say "$key: $(tail -3 "$work/arm.err")"; exit 1; }
  end=$(now_us)
  note "$key" "$(calc "$count * 1e6 / ($end - $begin)" 1)"
  note "cpu $key" "$(calc "($(cpu_ms) - $before) / $count" 3)"
  clear_peers
}

for daemon in wide1 wide2 wide8 behind; do for profile in open standard strict; do
  use $daemon; jobctl run --profile $profile -- true
done; done
for ((round = 1; round <= rounds; ++round)); do
  say "jobs: round $round"
  for entry in "${arms[@]}"; do arm "$entry"; done
done

# goals KEY: those of this line.
goals() {
  local list=()
  case $1 in
    open)
      list+=("$(met '≥ 1.0 × xargs -P2' "$(ratio open xargs)" ge 1.0)")
      [ -z "${samples[tsp]:-}" ] || list+=("$(met '≥ 2 × task-spooler' "$(ratio open tsp)" ge 2)") ;;
    echo) list+=("$(met '≥ 1.5 × xargs with a file each' "$(ratio echo xargs_file)" ge 1.5)") ;;
    standard)
      list+=("$(met '≥ 0.75 × open' "$(ratio standard open)" ge 0.75)")
      for runtime in crun runc; do
        [ -z "${samples[$runtime]:-}" ] || list+=("$(met "≥ 3 × $runtime" "$(ratio standard $runtime)" ge 3)")
      done
      [ -z "${samples[bwrap]:-}" ] || list+=("$(met '≥ 1.5 × bubblewrap' "$(ratio standard bwrap)" ge 1.5)") ;;
  esac
  local text=${list[*]/%/;}
  echo "${text%;}"
}

echo '## Jobs a second'
echo
echo '| what | jobs/s | × xargs -P2 | CPU ms per job | goal | does and does not |'
echo '|---|---|---|---|---|---|'
for entry in "${arms[@]}"; do
  IFS='|' read -r key what does _ _ <<<"$entry"
  echo "| $what | $(figure "$key") | $(ratio "$key" xargs) | $(figure "cpu $key" %.2f) | $(goals "$key") | $does |"
done
conditions "$jobs jobs to a batch, a tenth of that for the slow (GNU parallel, nq, crun, runc). CPU is the whole machine's, and so of" \
  "everything a job costs: client, server, launcher, shim, job, kernel.${missing:+ Left out, not installed or not able to run here:$missing.}"

. "$root/bench/counts.sh"
