#!/bin/bash
# A daemon, a batch of real work with one command that fails and one that takes too long, followed live, and what became of each.
#
# usage: demo.sh DIR      DIR as made by dev-setup.sh
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")/.." && pwd)
[ $# -eq 1 ] && [ -d "$1" ] || { echo "usage: ${0##*/} DIR" >&2; exit 2; }
dir=$(cd -- "$1" && pwd)
bin=$here/build/bin
input=${DEMO_INPUT:-/usr/include}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n%s\n' "$*"; }

say "starting jobd"
"$bin/jobd" --config "$dir/jobd.toml" --set server.listen=127.0.0.1:0 --set log.level=warn &
jobd=$!
trap 'kill "$jobd" 2>/dev/null; wait "$jobd" 2>/dev/null || true' EXIT
until [ -s "$dir/run/address" ]; do
  kill -0 "$jobd" 2>/dev/null || { echo "jobd did not start" >&2; exit 1; }
  sleep 0.05
done

JOBCTL_ADDRESS=$(<"$dir/run/address")
export JOBCTL_ADDRESS JOBCTL_CA=$dir/certs/ca.crt JOBCTL_CERT=$dir/certs/operator.crt JOBCTL_KEY=$dir/certs/operator.key
jobctl() { "$bin/jobctl" "$@"; }
"$bin/jobctl" --cert "$dir/certs/admin.crt" --key "$dir/certs/admin.key" admin status

say "a batch: a few hundred files of this machine, compressed, checksummed and counted"
batch=$(jobctl submit --name demo --parallel 2 -f - <<EOF
name: demo
jobs:
  - name: compress
    shell: find $input -name '*.h' -type f | head -n 400 | sort | tar -cf - -T - 2>/dev/null | gzip | wc -c | sed 's/\$/ bytes compressed/'
  - name: checksum
    shell: find $input -name '*.h' -type f | head -n 400 | sort | xargs sha256sum | sha256sum | cut -c1-64
  - name: count
    shell: find $input -name '*.h' -type f | head -n 400 | sort | xargs cat | wc -lwc
  - name: ticker
    shell: for i in 1 2 3; do echo tick \$i; sleep 0.3; done
  - name: fails
    shell: echo "this one cannot find its input" >&2; exit 3
  - name: hangs
    argv: [sleep, "600"]
    timeout: 1s
EOF
)
echo "$batch"

say "jobctl logs -f $batch"
jobctl logs -f "$batch"

say "jobctl status $batch"
jobctl status "$batch"
say "jobctl wait exits with the largest code of the jobs:"
code=0
jobctl wait "$batch" || code=$?
echo "exit code $code"
[ "$code" = 124 ] || { echo "expected 124, of the job that timed out" >&2; exit 1; }

say "its files, for people as much as for the program"
find "$dir/logs/operator/$batch" -type f | sort | sed "s|^$here/||"
say "stopping jobd"
kill "$jobd"
wait "$jobd"
trap - EXIT
echo done
