#!/bin/bash
# In the virtual machine: installs jobd as an operator would, starts the service, runs every test_* function of *_test.sh in a shell of
# its own, 60 s at most, and exits 0 when all have passed. Of a test that fails the trace is shown, and what the service said meanwhile.
set -uo pipefail
cd "$(dirname "$0")"
source ./harness.sh

install_jobd || { journalctl --no-pager -b -u jobd -u jobd-server; exit 1; }
mapfile -t tests < <(grep . selection || sed -n 's/^\(test_[a-z0-9_]*\)() {$/\1/p' *_test.sh)

failed=()
for name in "${tests[@]}"; do
  cursor=$(journalctl -n 0 --show-cursor --no-pager -q | sed -n 's/^-- cursor: //p')
  begin=$EPOCHREALTIME
  timeout 60 bash -euo pipefail -c '
    for file in harness.sh *_test.sh; do source "./$file"; done
    # So that what a command says on standard error can be looked at without the trace.
    exec {BASH_XTRACEFD}>&2
    set -x
    "$0"
    settled' "$name" </dev/null >results/"$name".log 2>&1
  verdict=$([ $? = 0 ] && echo passed || echo FAILED)
  printf '%s  %-48s %5d ms\n' "$verdict" "$name" $((10#${EPOCHREALTIME/./} / 1000 - 10#${begin/./} / 1000))
  [ "$verdict" = passed ] && continue
  failed+=("$name")
  tail -n 60 results/"$name".log
  journalctl --no-pager -q -u jobd -u jobd-server --after-cursor "$cursor" | tail -n 60
  recover
done
journalctl --no-pager -q -b -u jobd -u jobd-server >results/journal.log
echo "${#tests[@]} tests, ${#failed[@]} failed${failed:+: ${failed[*]}}"
[ ${#failed[@]} -eq 0 ]
