# What the tests in the virtual machine share. Sourced by run.sh. Helpers do not trace themselves: the trace of a test that failed is
# to be read.

groups=/sys/fs/cgroup
# The processor is emulated, at times on a host that has little to give: patience costs nothing where nothing is wrong.
export SYSTEMD_BUS_TIMEOUT=300s
patience=4

# As INSTALL says: files, the account and directories, certificates, configuration, service.
install_jobd() {
  cp -r root/usr/local/. /usr/local/ && systemd-sysusers && systemd-tmpfiles --create jobd.conf &&
    /usr/local/share/jobd/make-certs.sh /etc/jobd/certs && cp /usr/local/share/jobd/jobd.example.toml /etc/jobd/jobd.toml || return
  # Whoever uses jobctl is an ordinary user who has nothing but a certificate.
  useradd --create-home --home-dir /home/client client && install -d -o client -m 700 /home/client/certs &&
    cp /etc/jobd/certs/{ca.crt,operator.crt,operator.key,admin.crt,admin.key} /home/client/certs/ && chown client /home/client/certs/* || return
  systemctl daemon-reload && systemctl enable --quiet jobd && systemctl start jobd
}

# jobctl as the role named first.
jobctl_as() {
  local - role=$1 certs=/home/client/certs
  set +x
  shift
  setpriv --reuid=client --regid=client --clear-groups env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/client LANG=C.UTF-8 \
    JOBCTL_CA=$certs/ca.crt JOBCTL_CERT=$certs/$role.crt JOBCTL_KEY=$certs/$role.key jobctl --connect-timeout 60s "$@"
}
jobctl() { jobctl_as operator "$@"; }
admin() { jobctl_as admin admin "$@"; }

# exits CODE COMMAND…: the command exits with that code.
exits() {
  local - expected=$1 code=0
  set +x
  shift
  "$@" || code=$?
  [ "$code" = "$expected" ] || { echo "exit code $code, expected $expected, of: $*" >&2; return 1; }
}

# equals EXPECTED ACTUAL
equals() { [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2" >&2; return 1; }; }

# until_true SECONDS COMMAND…: for what tells nobody when it happens.
until_true() {
  local - deadline=$((SECONDS + $1 * patience))
  set +x
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { echo "not within the time given: $*" >&2; return 1; }
    sleep 0.1
  done
}

# start_job OPTION… -- COMMAND…: prints the ID, when the job has printed its first line, which tells that it runs.
start_job() {
  local id
  id=$(jobctl run -d "$@") || return
  # Not `| head -1`, which would wait for the follower, and the follower for the next line.
  read -r _ < <(jobctl logs -f "$id") || { echo "no output from $id" >&2; return 1; }
  echo "$id"
}

# job ID FILTER: of the one job of a batch.
job() { jobctl status -o json "$1" | jq -r ".jobs[0]$2"; }

job_groups() { find $groups/jobd-* -mindepth 1 -maxdepth 1 -type d -name 'job-*' 2>/dev/null; }
job_group() { grep -l -x -- "$1" $(job_groups | sed 's|$|/cgroup.procs|') | xargs -r dirname; }

main_pid() { systemctl show -P MainPID jobd; }
server_pid() { cat /run/jobd/server.pid; }
answers() { admin status >/dev/null 2>&1; }
settings() { admin config -o json | jq -r ".settings[\"$1\"].value"; }

# After a test no job is left, nor a trace of one.
settled() {
  until_true 10 no_live_jobs && [ -z "$(job_groups)" ] || { echo "left behind: $(job_groups)"; return 1; }
}
no_live_jobs() { [ "$(admin status -o json | jq '.running + .queued')" = 0 ]; }

# For the next test, whatever became of this one.
recover() {
  systemctl reset-failed jobd jobd-server 2>/dev/null
  systemctl start jobd
  admin stop --now >/dev/null 2>&1
  until_true 20 no_live_jobs
  admin start >/dev/null 2>&1
}
