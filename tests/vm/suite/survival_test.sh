# Jobs outlive the service, however it ends.

# A job that ends with its true exit code when told, whoever is alive then: start_patient prints ID and the file to remove.
start_patient() {
  local file id
  file=$(mktemp /tmp/go-on.XXXXXX)
  chmod 644 "$file"
  id=$(start_job --profile open -- bash -c "echo up; while [ -e $file ]; do sleep 0.2; done; echo down; exit 42") || return
  echo "$id $file"
}

# finish ID FILE: lets the patient end; its exit code and its output are whole.
finish() {
  rm "$2"
  exits 42 jobctl wait --timeout 30s "$1"
  equals $'up\ndown' "$(jobctl logs "$1")"
  equals 1 "$(job "$1" .attempt)"
}

shims() { pgrep -c -x jobd-shim; }
launcher_is_another_than() { local now; now=$(main_pid); [ "$now" != "$1" ] && [ "$now" != 0 ] && [ "$(systemctl is-active jobd)" = active ]; }

test_restart_leaves_a_running_job_alone() {
  local server
  read -r id file < <(start_patient)
  server=$(server_pid)
  systemctl restart jobd
  [ "$(server_pid)" != "$server" ]
  equals RUNNING "$(job "$id" .state)"
  finish "$id" "$file"
}

test_stop_leaves_a_running_job_alone() {
  read -r id file < <(start_patient)
  local group=$(job_groups)
  systemctl stop jobd
  equals inactive "$(systemctl is-active jobd)"
  equals inactive "$(systemctl is-active jobd-server)"
  [ ! -e /run/jobd/launcher.sock ]
  [ ! -e /run/jobd/address ] && [ ! -e /run/jobd/pid ]
  [ -n "$(cat "$group/cgroup.procs")" ]
  systemctl start jobd
  equals RUNNING "$(job "$id" .state)"
  finish "$id" "$file"
}

test_job_that_ends_while_the_service_is_stopped() {
  read -r id file < <(start_patient)
  systemctl stop jobd
  rm "$file"
  until_true 10 eval '[ "$(shims)" = 0 ]'
  systemctl start jobd
  exits 42 jobctl wait --timeout 30s "$id"
  equals $'up\ndown' "$(jobctl logs "$id")"
}

test_killed_server_is_started_again_and_nothing_is_lost() {
  local server launcher
  read -r id file < <(start_patient)
  server=$(server_pid) launcher=$(main_pid)
  kill -KILL "$server"
  until_true 20 eval '[ "$(server_pid)" != '"$server"' ] && answers'
  equals "$launcher" "$(main_pid)"
  equals RUNNING "$(job "$id" .state)"
  [ "$(admin status -o json | jq .server_restarts)" -ge 1 ]
  finish "$id" "$file"
}

test_killed_server_unit_is_started_again_and_nothing_is_lost() {
  local server launcher
  read -r id file < <(start_patient)
  server=$(server_pid) launcher=$(main_pid)
  systemctl kill -s KILL jobd-server
  until_true 20 eval '[ "$(server_pid)" != '"$server"' ] && answers'
  equals "$launcher" "$(main_pid)"
  equals RUNNING "$(job "$id" .state)"
  finish "$id" "$file"
}

test_restart_of_the_server_alone() {
  local server launcher follower followed=$(mktemp)
  read -r id file < <(start_patient)
  server=$(server_pid) launcher=$(main_pid)
  jobctl logs -f "$id" >"$followed" &
  follower=$!
  systemctl restart jobd-server
  # Ready when systemctl returns.
  equals RUNNING "$(job "$id" .state)"
  [ "$(server_pid)" != "$server" ]
  equals "$launcher" "$(main_pid)"
  finish "$id" "$file"
  wait "$follower"
  equals $'up\ndown' "$(cat "$followed")"
}

test_killed_launcher_is_started_again_and_nothing_is_lost() {
  local launcher
  read -r id file < <(start_patient)
  launcher=$(main_pid)
  kill -KILL "$launcher"
  until_true 20 launcher_is_another_than "$launcher"
  equals RUNNING "$(job "$id" .state)"
  finish "$id" "$file"
}

test_killed_shim_takes_its_job_along() {
  read -r id file < <(start_patient)
  kill -KILL $(pgrep -x jobd-shim)
  exits 125 jobctl wait --timeout 30s "$id"
  equals LOST "$(job "$id" .state)"
  rm "$file"
}

test_systemd_does_not_take_the_jobs_controllers_away() {
  read -r id file < <(start_patient)
  systemctl daemon-reload
  systemd-run --quiet --wait true
  local group=$(job_groups)
  [ -e "$group/memory.max" ] && [ -e "$group/pids.max" ] && [ -e "$group/cpu.max" ]
  exits 0 jobctl run --memory 64M --pids 10 --cpus 1 -- true
  finish "$id" "$file"
}
