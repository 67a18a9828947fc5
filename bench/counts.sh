# What a job makes the machine do, in numbers that do not vary with the neighbours. Part of sections/jobs.sh, whose daemons it uses.

few_jobs() { jobctl submit --profile "$1" --wait -f "$work/few.jsonl" >/dev/null; }
# counts PROFILE: a line of the table.
counts() {
  local profile=$1 few daemon=wide2 server pid calls syncs before_server before_launcher
  few=$(size 200 50)
  use $daemon
  server=$(server_pid $daemon)
  pid=${launcher[$daemon]}
  head -n $few "$work/true.jsonl" >"$work/few.jsonl"
  before_server=$(switches "$server")
  before_launcher=$(switches "$pid")
  few_jobs "$profile"
  local by_server=$(($(switches "$server") - before_server)) by_launcher=$(($(switches "$pid") - before_launcher))
  calls=- syncs=-
  if has strace; then
    # What is there already is not traced: no shim that waits for another job may take these.
    until [ -z "$(shims $daemon)" ]; do sleep 0.05; done
    calls=$(calc "$(traced "$pid" all few_jobs "$profile") / $few" 0)
    syncs=$(calc "$(traced "$server" fdatasync,fsync few_jobs "$profile") / $few")
  fi
  echo "| $profile | $calls | $syncs | $(calc "$by_launcher / $few" 1) | $(calc "$by_server / $few" 1) |"
}

echo '### Counts per job'
echo
echo '| `true`, 2 wide | system calls of launcher, shim and job | fdatasyncs of the server | context switches of the launcher | of the server |'
echo '|---|---|---|---|---|'
for profile in open standard strict; do counts $profile; done
if has strace; then
  strace -f -c -U calls,name -o "$work/strace" true
  echo
  echo "\`true\` alone makes $(awk '$2 == "total" {print $1}' "$work/strace") system calls."
fi
echo
