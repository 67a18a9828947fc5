#!/bin/bash
# The same jobs through systemd-run, in the virtual machine of tests/vm, where systemd is PID 1 and jobd its service. The machine is
# emulated: only the ratios mean something.
. "$(dirname -- "$0")/../lib.sh"

jobs=$(size 40 10)
has qemu-system-x86_64 || { printf '## systemd-run\n\nqemu is not installed (scripts/deps.sh vm); not measured.\n\n'; exit 0; }
guest=$work/guest
DESTDIR=$guest/root cmake --install "$root/build" --prefix /usr/local --strip >"$work/install.log"
cp "$root/tests/vm/suite/harness.sh" "$guest/"
cp "$root/bench/vm_guest.sh" "$guest/run.sh"
echo "$jobs $rounds" >"$guest/size"
"$root/tests/vm/run-vm.sh" "$guest" "$(size 900 400)" >&2 || { say 'vm: no result'; exit 1; }
while read -r key value; do note "$key" "$(calc "$value / 1000" 2)"; done <"$guest/results/rates"

row() { echo "| $2 | $(figure "$1" %.1f) | $(ratio "$1" systemd) | $3 |"; }
echo '## systemd-run, in a virtual machine'
echo
echo "| $jobs jobs of \`true\`, two wide | jobs/s there | × systemd-run | does and does not |"
echo '|---|---|---|---|'
row jobd 'jobd standard, one batch' 'durable, isolated, output and exit codes kept'
row systemd '`systemd-run --wait`, a process each' 'a unit and cgroup each; output to the journal; not isolated; nothing durable'
row sandboxed 'the same with DynamicUser=, ProtectSystem=strict, a filter' 'isolated about as jobd standard'
conditions 'The processor of the virtual machine is emulated: its rates are those of no real one.'
