# Limits that only pure cgroup v2 enforces this way.

test_memory_limit_kills_the_job_and_says_so() {
  local id
  id=$(start_job --memory 32M -- sh -c 'echo up; exec tail /dev/zero')
  exits 137 jobctl wait "$id"
  equals OOM_KILLED "$(job "$id" .state)"
  equals MEMORY_LIMIT "$(job "$id" .reason.code)"
}

test_limits_are_the_kernels() {
  local id group
  id=$(start_job --memory 48M --pids 7 --cpus 0.5 -- sh -c 'echo $$; exec sleep 600')
  group=$(job_groups)
  equals 50331648 "$(cat "$group/memory.max")"
  equals 7 "$(cat "$group/pids.max")"
  equals '50000 100000' "$(cat "$group/cpu.max")"
  jobctl cancel "$id"
  exits 143 jobctl wait "$id"
}

test_io_limits_are_the_kernels() {
  local id group
  jobctl admin status --json | jq -e '[.isolation[] | select(.name | startswith("io ")) | .available] == [true, true]'
  id=$(start_job --io-read 10M --io-write 5M -- sh -c 'echo $$; exec sleep 600')
  group=$(job_groups)
  grep -q 'rbps=10485760 wbps=5242880' "$group/io.max"
  jobctl cancel "$id"
  exits 143 jobctl wait "$id"
}

# What goes through the page cache too: the write-back is the job's.
test_io_limit_slows_writing_down() {
  local id
  id=$(jobctl run -d --io-write 2M --profile open -- sh -c 'dd if=/dev/zero of=/var/tmp/written bs=64K count=96 conv=fsync; rm /var/tmp/written')
  exits 0 jobctl wait "$id"
  job "$id" '.usage.wall_seconds > 1.5' | grep -qx true
}

test_pids_limit_refuses_the_fork_and_is_told_as_the_reason() {
  local id
  id=$(jobctl run -d --pids 5 -- perl -e 'for (1 .. 20) { my $pid = fork; defined $pid or do { print "$!\n"; exit 9 }; $pid or do { sleep 600; exit } }')
  exits 9 jobctl wait "$id"
  equals 'Resource temporarily unavailable' "$(jobctl logs "$id")"
  equals FAILED "$(job "$id" .state)"
  equals PIDS_LIMIT "$(job "$id" .reason.code)"
}

test_cpu_limit_slows_the_job_down() {
  local id
  id=$(jobctl run -d --cpus 0.2 --timeout 3s --kill-after 1s -- sh -c 'while :; do :; done')
  exits 124 jobctl wait "$id"
  job "$id" .usage
  job "$id" '.usage | (.user_cpu_seconds + .system_cpu_seconds) < 0.4 * .wall_seconds' | grep -qx true
}

test_cancel_ends_the_whole_tree() {
  local id
  id=$(start_job -- bash -c 'trap "" TERM; for i in 1 2 3; do setsid bash -c "trap \"\" TERM; sleep 600" & done; echo up; wait; sleep 600')
  [ "$(wc -l <"$(job_groups)/cgroup.procs")" -ge 4 ]
  jobctl cancel -t 200ms "$id"
  exits 143 jobctl wait "$id"
  equals CANCELLED "$(job "$id" .state)"
  equals '' "$(job_groups)"
}
