#!/bin/bash
# Reading little of a long log: its last lines, and ten lines by their time from its middle; beside the same of a log of ten lines.
. "$(dirname -- "$0")/../lib.sh"

bytes=$(size 10000000000 200000000)
calls=$(size 40 10)
# The log and as much again for the rest of the machine.
free=$(($(df --output=avail -B1 "$work" | tail -1)))
if [ "$free" -lt $((bytes * 2)) ]; then
  bytes=$((free / 4))
  say "logs: only $bytes bytes, there is no room for more"
fi

start daemon --set limits.max_output_bytes=0
server=$(server_pid daemon)
# Ten lines stand alone in the middle, a second away from what is before and behind them.
say "logs: writing $bytes bytes"
half=$((bytes / 2))
line=$(printf 'x%.0s' {1..79})
long=$(jobctl run -d --profile open --shell -- "yes $line | head -c $half; sleep 1; date +%s.%N >&2; seq 10; sleep 1; yes $line | head -c $half; echo; seq 10")
short=$(jobctl run -d --profile open --shell -- 'seq 10')
begin=$(now_us)
jobctl wait "$long" "$short" >/dev/null
seconds=$(calc "($(now_us) - $begin) / 1e6 - 2" 1)  # it sleeps for two

# Reading all of it, for comparison. The job has said on standard error when the ten lines came.
begin=$(now_us)
jobctl logs --stdout "$long" >/dev/null
read_seconds=$(calc "($(now_us) - $begin) / 1e6" 1)
since_s=$(jobctl logs --stderr "$long")
from=$(date -u -d "@$(calc "$since_s - 0.4" 6)" +%Y-%m-%dT%H:%M:%S.%6NZ)
until=$(date -u -d "@$(calc "$since_s + 0.4" 6)" +%Y-%m-%dT%H:%M:%S.%6NZ)
[ "$(jobctl logs --stdout --since "$from" --until "$until" "$long" | tr '\n' ' ')" = '1 2 3 4 5 6 7 8 9 10 ' ] || { say "logs: --since does not find the ten lines"; exit 1; }
[ "$(jobctl logs --stdout -n 10 "$long" | tail -1)" = 10 ] || { say "logs: -n does not find the last lines"; exit 1; }

echo 5 >"/proc/$server/clear_refs"  # the high-water mark begins anew
high_before=$(awk '/^VmHWM/ {print $2}' "/proc/$server/status")
columns=(tail_long since_long tail_short since_short all_short)
"$bin/bench_lap" $((calls * rounds)) \
  , "$bin/jobctl" logs --stdout -n 10 "$long" , "$bin/jobctl" logs --stdout --since "$from" --until "$until" "$long" \
  , "$bin/jobctl" logs --stdout -n 10 "$short" , "$bin/jobctl" logs --stdout --since "$from" --until "$until" "$short" \
  , "$bin/jobctl" logs "$short" >"$work/laps"
high_after=$(awk '/^VmHWM/ {print $2}' "/proc/$server/status")
while read -ra lap; do
  for i in "${!columns[@]}"; do note "${columns[i]}" "${lap[i * 3]}"; done
  note over_tail "$(calc "${lap[0]} - ${lap[6]}" 3)"
  note over_since "$(calc "${lap[3]} - ${lap[9]}" 3)"
done <"$work/laps"

row() { echo "| $2 | $(quantiles "$1" %.1f 0.5) | $(quantiles "$1" %.1f 0.99) | ${3:-} |"; }
echo '## A little of a long log'
echo
echo "| whole program; a log of $(calc "$bytes / 1e9" 1) GB in lines of 80 | p50 ms | p99 ms | goal |"
echo '|---|---|---|---|'
row tail_long '`logs -n 10`' "$(met '≤ 20 ms over a log of ten lines' "$(quantile over_tail 0.5)" le 20)"
row since_long '`logs --since --until`, ten lines in the middle' "$(met '≤ 20 ms over a log of ten lines' "$(quantile over_since 0.5)" le 20)"
row tail_short '`logs -n 10` of a log of ten lines'
row since_short '`logs --since --until` of it, nothing found'
row all_short '`logs` of it'
echo
echo "The server's memory rose by $((high_after - high_before)) KiB at most during these calls: $(met 'constant (within 4 MiB)' "$((high_after - high_before))" le 4096)." \
  "Writing the log took $seconds s, \`logs\` of all of it to /dev/null $read_seconds s."
conditions "$((calls * rounds)) of each in turn."
