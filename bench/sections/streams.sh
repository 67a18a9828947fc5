#!/bin/bash
# Logs as they stream: throughput, latency, memory per follower. bench_streams measures and prints the tables.
. "$(dirname -- "$0")/../lib.sh"

echo '## Streams'
echo
if [ -x "$bin/bench_streams" ]; then
  "$bin/bench_streams" --markdown --rounds "$rounds" ${quick:+--quick}
else
  echo '`bench_streams` is not built; not measured.'
fi
echo
