#!/bin/bash
# Submissions: one job each, answered when it is on disk, from one caller and from many, with more or less waiting; and a large batch.
. "$(dirname -- "$0")/../lib.sh"

many=$(size 5000 1000)
few=$(size 1000 200)
batch=10000
depths=(0 "$(size 10000 1000)" "$(size 100000 10000)")
for depth in "${depths[@]}"; do
  start "depth$depth" --set limits.max_running=1
  queue $((depth + 1))
done
start_hello
awk -v n=$batch 'BEGIN {while (n-- > 0) print "{\"argv\": [\"true\"]}"}' >"$work/batch.jsonl"

# calls KEY KIND CALLERS COUNT: rate, p50 and p99 of a run.
calls() {
  local line rate p50 p99
  line=$("$bin/bench_submit" "$2" "$3" 4 "$4")
  read -r rate p50 p99 <<<"$line"
  note "$1" "$rate"
  note "$1 p50" "$p50"
  note "$1 p99" "$p99"
}

for ((round = 1; round <= rounds; ++round)); do
  say "submit: round $round"
  use depth0
  JOBCTL_ADDRESS=$hello calls hello64 unary 64 "$many"
  JOBCTL_ADDRESS=$hello calls hello1 unary 1 "$few"
  for depth in "${depths[@]}"; do
    use "depth$depth"
    calls "many$depth" job 64 "$many"
    calls "one$depth" job 1 "$few"
    took=$("$bin/bench_submit" batch $batch)
    note "batch$depth" "$took"
    begin=$(now_us)
    id=$(jobctl submit -f "$work/batch.jsonl")
    note "jobctl$depth" "$(calc "($(now_us) - $begin) / 1e3" 1)"
    jobctl cancel "$id" >/dev/null
    jobctl rm "$id" >/dev/null
  done
done

deepest=${depths[-1]}
# flat KEY: how much a queue changes a rate, as a goal.
flat() { met "flat within ±20 % up to $deepest queued" "$(ratio "$1$deepest" "${1}0")" ge 0.8; }
row() { echo "| $2 | $(figure "$1") | $(figure "$1 p50" %.2f) | $(quantile "$1 p99" 0.5) | ${4:-} | $3 |"; }
echo '## Submissions'
echo
echo '| what | calls/s | p50 ms | p99 ms | goal | does and does not |'
echo '|---|---|---|---|---|---|'
did='authorised, on disk (fdatasync) before the answer'
row many0 'one job each, 64 callers, 4 connections' "$did" "$(met '≥ 10,000/s' "$(quantile many0 0.5)" ge 10000)"
for depth in "${depths[@]:1}"; do
  goal=
  [ "$depth" != "$deepest" ] || goal=$(flat many)
  row "many$depth" "the same with $depth queued" "$did" "$goal"
done
row one0 'one job each, 1 caller' "$did"
for depth in "${depths[@]:1}"; do
  goal=
  [ "$depth" != "$deepest" ] || goal=$(flat one)
  row "one$depth" "the same with $depth queued" "$did" "$goal"
done
row hello64 'calls that do nothing, 64 callers, 4 connections' 'the floor: the same TLS and client, nothing kept'
row hello1 'calls that do nothing, 1 caller' 'likewise'
echo
echo "| a batch of $batch | ms | goal | does and does not |"
echo '|---|---|---|---|'
for depth in "${depths[@]}"; do
  echo "| \`SubmitBatch\`, $depth queued | $(figure "batch$depth") | $(met '≤ 250 ms' "$(quantile "batch$depth" 0.5)" le 250) | accepted whole, on disk before the answer |"
  echo "| \`jobctl submit\`, whole program, $depth queued | $(figure "jobctl$depth") | $(met '≤ 250 ms' "$(quantile "jobctl$depth" 0.5)" le 250) | the same, reading and checking a file of JSON Lines |"
done
conditions "$many calls to a measurement from many callers, $few from one; what was submitted is removed again between measurements."
