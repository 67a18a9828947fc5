# The units: they start, hold what they promise, and jobs do what they do at home.

test_service_is_ready_when_systemctl_start_returns() {
  equals active "$(systemctl is-active jobd)"
  equals enabled "$(systemctl is-enabled jobd)"
  [[ $(systemctl show -P StatusText jobd) == "ready at 127.0.0.1:7443" ]]
  equals 127.0.0.1:7443 "$(cat /run/jobd/address)"
  equals "$(main_pid)" "$(cat /run/jobd/pid)"
  equals active "$(systemctl is-active jobd-server)"
  equals "$(systemctl show -P MainPID jobd-server)" "$(server_pid)"
  equals 0::/system.slice/jobd-server.service "$(cat "/proc/$(server_pid)/cgroup")"
}

test_only_the_servers_account_gets_to_the_launcher() {
  equals 'jobd 600 socket' "$(stat -c '%U %a %F' /run/jobd/launcher.sock)"
  # Root, whom no mode keeps out; somebody else; and the account itself, while its server lives.
  exits 1 timeout 20 jobd-server --connect /run/jobd/launcher.sock
  exits 1 timeout 20 setpriv --reuid=client --regid=client --clear-groups jobd-server --connect /run/jobd/launcher.sock
  exits 1 timeout 20 setpriv --reuid=jobd --regid=jobd --clear-groups jobd-server --connect /run/jobd/launcher.sock
  equals active "$(systemctl is-active jobd)"
  exits 0 jobctl run -- true
}

test_server_is_unprivileged() {
  local status=/proc/$(server_pid)/status
  equals jobd "$(ps -o user= -p "$(server_pid)")"
  equals 0000000000000000 "$(awk '/^CapEff/ {print $2}' "$status")"
  equals 0000000000000000 "$(awk '/^CapPrm/ {print $2}' "$status")"
  equals 1 "$(awk '/^NoNewPrivs/ {print $2}' "$status")"
  equals 2 "$(awk '/^Seccomp:/ {print $2}' "$status")"
  # Asked of the file: of a loaded unit the threshold is not looked at.
  systemd-analyze security --no-pager --offline=yes --threshold=20 /usr/local/lib/systemd/system/jobd-server.service >/dev/null
  # What it was not handed is not in its view, whoever looks.
  cat /etc/jobd/certs/server.key >/dev/null
  exits 1 cat "/proc/$(server_pid)/root/etc/jobd/certs/server.key"
  exits 2 ls "/proc/$(server_pid)/root/var/lib/jobd/jobd.db"
}

test_launcher_holds_what_the_unit_names_and_no_more() {
  local bounding=$(awk '/^CapBnd/ {print $2}' "/proc/$(main_pid)/status")
  # CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER KILL SETGID SETUID SETPCAP NET_ADMIN SYS_CHROOT SYS_ADMIN SYS_RESOURCE MKNOD
  equals $((1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 18 | 1 << 21 | 1 << 24 | 1 << 27)) $((16#$bounding))
  systemd-analyze security --no-pager --offline=yes --threshold=57 /usr/local/lib/systemd/system/jobd.service >/dev/null
}

test_cgroup_v2_limits_everything() {
  local status=$(admin status -o json)
  equals RUNNING "$(jq -r .state <<<"$status")"
  jq -e '.isolation[] | select(.name == "cgroup") | .available and (.detail | startswith("v2, at /sys/fs/cgroup/jobd-"))' <<<"$status"
  for controller in memory pids cpu; do
    jq -e --arg name "$controller limit" '.isolation[] | select(.name == $name) | .available' <<<"$status"
  done
  jq -e '[.isolation[] | select(.available | not) | .name] - ["abstract socket scope"] == []' <<<"$status"
}

test_run_is_like_running_it_at_home() {
  exits 0 jobctl run -- true
  exits 3 jobctl run -- sh -c 'exit 3'
  exits 143 jobctl run -- sh -c 'kill -TERM $$'
  exits 127 jobctl run -- no-such-program
  equals out "$(jobctl run -- sh -c 'echo out; echo err >&2' 2>/dev/null)"
  equals err "$(jobctl run -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
}

test_logs_and_files_of_a_batch() {
  local id
  id=$(printf 'echo one\necho two >&2\nexit 7\n' | jobctl submit --wait -f - || [ $? = 7 ])
  equals SUCCEEDED,SUCCEEDED,FAILED "$(jobctl status -o json "$id" | jq -r '[.jobs[].state] | join(",")')"
  equals one "$(jobctl logs "$id/$(jobctl status -o json "$id" | jq '.jobs[0].index')")"
  equals one "$(cat "/var/lib/jobd/logs/operator/$id"/*.out)"
  equals two "$(cat "/var/lib/jobd/logs/operator/$id"/*.err)"
  equals jobd "$(stat -c %U "/var/lib/jobd/logs/operator/$id"/*.out)"
}

test_jobs_have_a_uid_and_a_group_of_their_own() {
  local uid
  uid=$(jobctl run -- id -u)
  [ "$uid" -ge 1879048192 ] && [ "$uid" -lt $((1879048192 + 65536)) ]
  [[ $(jobctl run --profile open -- cat /proc/self/cgroup) == 0::/jobd-*/job-* ]]
  equals 'CapBnd: 0000000000000000' "$(jobctl run -- grep CapBnd /proc/self/status | tr -s '\t' ' ')"
}

test_isolated_profiles_work_under_the_unit() {
  # A /tmp and a /dev of its own, nothing of the service's directories, and no process but its own.
  local script='ls -A /tmp; echo x >/dev/null && echo null; cat /var/lib/jobd/jobd.db 2>/dev/null; grep -l jobd-server /proc/[0-9]*/comm; true'
  for profile in standard strict; do
    equals null "$(jobctl run --profile $profile -- sh -c "$script")"
  done
}

test_reload_takes_up_a_change_and_keeps_the_good_when_the_new_is_bad() {
  local before after
  before=$(settings limits.max_queued)
  cp /etc/jobd/jobd.toml /etc/jobd/jobd.toml.good
  trap 'mv /etc/jobd/jobd.toml.good /etc/jobd/jobd.toml; systemctl reload jobd' EXIT
  sed -i 's/^#max_queued = .*/max_queued = 4242/' /etc/jobd/jobd.toml
  systemctl reload jobd
  until_true 10 eval '[ "$(settings limits.max_queued)" = 4242 ]'
  echo 'max_queued = nonsense' >>/etc/jobd/jobd.toml
  exits 125 admin reload
  equals 4242 "$(settings limits.max_queued)"
  equals active "$(systemctl is-active jobd)"
}
