#!/bin/bash
# How long one job takes: as a whole run of jobctl, beside the least that such a program can be, and over a connection that is there.
. "$(dirname -- "$0")/../lib.sh"

calls=$(size 100 20)
start daemon
start_hello

# ---- whole programs ----

columns=(run_open run_standard hello true version)
say "latency: whole programs"
"$bin/bench_lap" 5 , "$bin/jobctl" run -- true , "$bin/bench_hello" call "$hello" >/dev/null
"$bin/bench_lap" $((calls * rounds)) \
  , "$bin/jobctl" run --profile open -- true , "$bin/jobctl" run --profile standard -- true \
  , "$bin/bench_hello" call "$hello" , true , "$bin/jobctl" version >"$work/laps"
while read -ra lap; do
  for i in "${!columns[@]}"; do
    note "${columns[i]}" "${lap[i * 3]}"
    note "cpu ${columns[i]}" "${lap[i * 3 + 1]}"
  done
  note floor "$(calc "${lap[6]} + ${lap[9]}" 3)"
  note "cpu floor" "$(calc "${lap[7]} + ${lap[10]}" 3)"
done <"$work/laps"

# row KEY WHAT DOES [GOAL]
row() { echo "| $2 | $(quantiles "$1" %.1f 0.5) | $(quantiles "$1" %.1f 0.99) | $(ratio "$1" floor) | $(quantiles "cpu $1" %.2f 0.5) | ${4:-} | $3 |"; }
goal='≤ 1.3 × the hello call and `true`'
echo '## One job, as a whole program'
echo
echo '| what | p50 ms | p99 ms | × the floor | CPU ms of the client | goal | does and does not |'
echo '|---|---|---|---|---|---|---|'
row run_standard '`jobctl run -- true`' 'durable, isolated, output followed, exit code' "$(met "$goal" "$(ratio run_standard floor)" le 1.3)"
row run_open '`jobctl run --profile open -- true`' 'the same, not isolated' "$(met "$goal" "$(ratio run_open floor)" le 1.3)"
row floor 'the two below, one after the other' 'the floor'
row hello 'a call that does nothing over mTLS, statically linked' 'TLS 1.3 with the same certificates; no state, no job'
row true '`true`' 'posix_spawn and wait'
row version '`jobctl version`' 'starts, calls nobody'
echo
echo "$((calls * rounds)) of each in turn; load $(cut -d' ' -f1-3 /proc/loadavg) at the end. Ratios are the median of those of each turn."
echo

# ---- over a warm connection ----

say "latency: warm"
"$bin/bench_warm" 20 open echo hello >/dev/null
for ((round = 1; round <= rounds; ++round)); do
  for profile in open standard; do
    "$bin/bench_warm" "$calls" $profile echo hello >"$work/warm"
    while read -r nothing accepted first end; do
      note nothing "$nothing"
      note "accepted $profile" "$accepted"
      note "first $profile" "$first"
      note "end $profile" "$end"
    done <"$work/warm"
  done
  "$bin/bench_lap" "$calls" , echo hello >"$work/echo"
  while read -r wall _; do note echo "$wall"; done <"$work/echo"
  for took in $("$bin/bench_sync" "$calls" "$work/daemon/sync"); do note sync "$took"; done
done

both() { quantiles "$1" %.2f 0.5 0.99 | sed "s, , / ,"; }
warm() { echo "| $2 | $(both "$1 open") | $(both "$1 standard") | ${3:-} |"; }
echo '### Over a connection that is there'
echo
echo '| since `ExecuteJob` of `echo hello` was called; p50 / p99 ms | open | standard | goal |'
echo '|---|---|---|---|'
warm accepted 'accepted: on disk'
warm first 'first byte' "open: $(met 'p50 ≤ 2 ms' "$(quantile 'first open' 0.5)" le 2); standard: $(met 'p50 ≤ 2 ms' "$(quantile 'first standard' 0.5)" le 2)"
warm end 'end known'
echo "| beside it: a call that does nothing | $(both nothing) | | |"
echo "| beside it: \`echo hello\` by posix_spawn | $(both echo) | | |"
echo "| beside it: 4 KiB appended and fdatasync | $(both sync) | | |"
echo
syncs=
if has strace; then
  some=$(size 100 20)
  syncs="A lone job makes the server call fdatasync $(calc "$(traced "$(server_pid daemon)" fdatasync,fsync "$bin/bench_warm" "$some" open echo hello) / $some" 1) times."
fi
echo "$((calls * rounds)) of each, $calls at a time in turn.${syncs:+ $syncs} Load $(cut -d' ' -f1-3 /proc/loadavg) at the end."
echo
