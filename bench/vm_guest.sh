#!/bin/bash
# In the virtual machine, sent there by sections/vm.sh: jobs through jobd as systemd's service and through systemd-run, in turn. Prints a
# line `KEY VALUE` per measurement into results/.
set -euo pipefail
cd "$(dirname "$0")"
source ./harness.sh
read -r jobs rounds <size
mkdir -p results
install_jobd
until_true 20 answers
for ((i = 0; i < jobs; ++i)); do echo '{"argv": ["true"]}'; done >/home/client/jobs.jsonl
chmod 644 /home/client/jobs.jsonl
admin config | grep -q . # the service is warm
jobctl run -- true
systemd-run --wait --collect --quiet true

# rate KEY COMMAND…
rate() {
  local begin=${EPOCHREALTIME/./}
  "${@:2}" >/dev/null 2>&1
  echo "$1 $((jobs * 1000000000 / (${EPOCHREALTIME/./} - begin)))"
}
services() { seq "$jobs" | xargs -P2 -I{} systemd-run --wait --collect --quiet "$@" true; }
for ((round = 0; round < rounds; ++round)); do
  rate jobd jobctl submit --wait -f /home/client/jobs.jsonl
  rate systemd services
  rate sandboxed services -p DynamicUser=yes -p ProtectSystem=strict -p PrivateTmp=yes -p PrivateDevices=yes -p SystemCallFilter=@system-service
done >results/rates
