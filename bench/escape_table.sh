#!/bin/bash
# What a command gets at, run by different tools on the machine at hand: each attack is tried for real, and the table says whether it
# worked. The numbers of limits are given to the tools that take them.
#
# usage: bench/escape_table.sh [DIR]        as root, after `make build`. DIR: where the development daemon lives (default: a temporary one)
#        bench/escape_table.sh --vm         systemd-run, in the virtual machine of tests/vm
#
# The tools, as a careful user would call them:
#   nothing       as nobody: what does not work here shows nothing of the tools
#   bubblewrap    as nobody, --unshare-all but the network, the system read-only, /dev, /proc and /tmp of its own
#   systemd-run   a service with DynamicUser=, ProtectSystem=strict and the rest of what systemd-analyze security asks for
#   jobd          open, standard and strict, as root starts it; the attacker is another user than the victim
# nsjail is not in Debian 12 and so not tried.
set -uo pipefail
here=$(cd -- "$(dirname -- "$0")/.." && pwd)

# Where everybody sees it, under every tool: helpers and what is attacked.
stage=${ESCAPE_STAGE:-/srv/jobd-escape}
columns=()
declare -A result

# name|what it is|script: exit 0 when the attack worked. V marks the victim's process.
attacks=(
  'see|see the processes of others|grep -lsa 5432[1] /proc/[0-9]*/cmdline | grep -q .'
  'signal|signal them|for p in $(grep -lsa 5432[1] /proc/[0-9]*/cmdline); do p=${p#/proc/}; kill -0 ${p%%/*} && exit 0; done; exit 1'
  'tmp|read what another left in /tmp|grep -qs secret /tmp/victim'
  'userns|make a user namespace|unshare -Ur true'
  'mount|mount something|unshare -Urm mount -t tmpfs none /mnt'
  'kernel|reach io_uring, perf, userfaultfd, keyrings or process_vm_readv|STAGE/escape | awk "/^(io_uring|perf|userfaultfd|keyctl|add_key|process_vm_readv) / && \$2 != 1 && \$2 != 13 && \$2 != 38 {found = 1} END {exit !found}"'
  'setuid|become root by a set-user-ID program|test "$(STAGE/suid-id -u)" = 0'
  'terminal|type into its terminal (TIOCSTI)|TTY'
  'network|connect to a service on localhost|perl -MIO::Socket::INET -e "exit !IO::Socket::INET->new(q(127.0.0.1:PORT))"'
  'socket|connect to a socket in /run|perl -MIO::Socket::UNIX -e "exit !IO::Socket::UNIX->new(Peer => q(/run/jobd-escape.sock))"'
  'keys|read /proc/keys|test -n "$(head -c 1 /proc/keys)"'
  'firmware|look into /sys/firmware|test -n "$(ls -A /sys/firmware)"'
  'write|write to a folder for all that it was not given|touch STAGE/shared/written'
  'memory|use 300 MiB where 64 are allowed|head -c 300M /dev/zero | tail >/dev/null'
  'fork|have 300 processes where 50 are allowed|i=0; while test $i -lt 300; do sleep 5 & i=$((i + 1)); done; exit 0'
  'disk|write 64 MiB to a /tmp of 4|head -c 64M /dev/zero >/tmp/large'
  'linger|leave a process behind at its end|setsid sleep 65432 >/dev/null 2>&1 & exit 0'
)

prepare() {
  mkdir -p "$stage/shared"
  chmod 755 "$stage"
  chmod 1777 "$stage/shared"
  install -m 755 "$1" "$stage/escape"
  install -m 4755 /usr/bin/id "$stage/suid-id"
  port=$((20000 + RANDOM % 20000))
  perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$ARGV[0]", Listen => 64) or die; sleep 3600' $port &
  listeners=($!)
  rm -f /run/jobd-escape.sock
  perl -MIO::Socket::UNIX -e 'umask 0; my $s = IO::Socket::UNIX->new(Local => "/run/jobd-escape.sock", Listen => 64) or die; sleep 3600' &
  listeners+=($!)
}

cleanup() {
  kill "${listeners[@]}" 2>/dev/null
  rm -rf "$stage" /run/jobd-escape.sock
}

# Pids of processes of ours whose argument is $1.
processes() { grep -lsaE "^sleep.$1" /proc/[0-9]*/cmdline | cut -d/ -f3; }

# column NAME ATTACKER VICTIM: functions that set `command` to run the script $1, with limits $2 (memory, fork, disk or nothing).
# One that sets it to nothing says that the tool has no such thing.
column() {
  local name=$1 attacker=$2 victim=$3 entry id script command victim_pid code
  columns+=("$name")
  "$victim" 'umask 022; echo secret >/tmp/victim; exec sleep 54321' ''
  "${command[@]}" >/dev/null 2>&1 </dev/null &
  victim_pid=$!
  until [ -n "$(processes 54321)" ]; do sleep 0.1; done
  for entry in "${attacks[@]}"; do
    IFS='|' read -r id _ <<<"$entry"
    script=${entry#*|*|}
    [ "$script" = TTY ] && script="STAGE/escape | grep -q '^tiocsti 0'"
    script=${script//STAGE/$stage}
    "$attacker" "${script//PORT/$port}" "$id"
    if [ ${#command[@]} = 0 ]; then
      result[$name,$id]='not offered'
      continue
    fi
    if [ "$id" = terminal ]; then
      timeout 30 script -qec "$(printf '%q ' "${command[@]}")" /dev/null >/dev/null 2>&1 </dev/null
    else
      timeout 60 "${command[@]}" >/dev/null 2>&1 </dev/null
    fi
    code=$?
    if [ "$id" = linger ]; then
      local left
      sleep 1  # for what ends it, and for what is not yet what it will be
      left=$(processes 65432)
      [ -n "$left" ] && code=0 || code=1
      [ -z "$left" ] || kill -9 $left
    fi
    result[$name,$id]=$([ $code = 0 ] && echo '**works**' || echo held)
    rm -f "$stage/shared/written" /tmp/large
  done
  kill $(processes 54321) 2>/dev/null
  wait "$victim_pid" 2>/dev/null
  rm -f /tmp/victim
}

table() {
  local entry id what name
  printf '| attack |'; printf ' %s |' "${columns[@]}"; echo
  printf '|---|'; printf '%.0s---|' "${columns[@]}"; echo
  for entry in "${attacks[@]}"; do
    IFS='|' read -r id what _ <<<"$entry"
    printf '| %s |' "$what"
    for name in "${columns[@]}"; do printf ' %s |' "${result[$name,$id]}"; done
    echo
  done
}

nothing() {
  command=(setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "$1")
  case $2 in memory | fork | disk) command=() ;; esac
}

bubblewrap() {
  local size=()
  [ "$2" = disk ] && size=(--size $((4 << 20)))
  command=(setpriv --reuid 65534 --regid 65534 --clear-groups bwrap --unshare-all --share-net --die-with-parent --ro-bind / /
    --dev /dev --proc /proc "${size[@]}" --tmpfs /tmp sh -c "$1")
  case $2 in memory | fork) command=() ;; esac
}

jobd() {
  local user=$1 profile=$2 script=$3 limit=()
  case $4 in
    memory) limit=(--memory 64M) ;;
    fork) limit=(--pids 50) ;;
    disk) limit=(--tmp-size 4M) ;;
  esac
  command=(env "JOBCTL_CERT=$dir/certs/$user.crt" "JOBCTL_KEY=$dir/certs/$user.key" "$here/build/bin/jobctl" run --workdir /tmp --profile
    "$profile" "${limit[@]}" -- sh -c "$script")
  [ "$profile $4" != 'open disk' ] || command=()
}
for profile in open standard strict; do
  eval "attack_$profile() { jobd operator $profile \"\$1\" \"\$2\"; }; victim_$profile() { jobd operator2 $profile \"\$1\" \"\$2\"; }"
done

systemd() {
  local limit=()
  case $2 in
    memory) limit=(-p MemoryMax=64M -p MemorySwapMax=0) ;;
    fork) limit=(-p TasksMax=50) ;;
  esac
  command=(systemd-run --quiet --wait --pipe -p DynamicUser=yes -p ProtectSystem=strict -p ProtectHome=yes -p PrivateTmp=yes
    -p PrivateDevices=yes -p ProtectKernelTunables=yes -p ProtectKernelModules=yes -p ProtectKernelLogs=yes -p ProtectControlGroups=yes
    -p ProtectClock=yes -p ProtectHostname=yes -p ProtectProc=invisible -p NoNewPrivileges=yes -p CapabilityBoundingSet=
    -p RestrictNamespaces=yes -p RestrictSUIDSGID=yes -p RestrictRealtime=yes -p LockPersonality=yes -p SystemCallFilter=@system-service
    -p SystemCallArchitectures=native -p "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6" "${limit[@]}" sh -c "$1")
  [ "$2" != disk ] || command=()
}

case ${1:-} in
  --vm)
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cp "$here/bench/escape_table.sh" "$here/build/payloads/payload_escape" "$work/"
    printf '#!/bin/bash\nexec ./escape_table.sh --in-vm\n' >"$work/run.sh"
    chmod 755 "$work/run.sh"
    "$here/tests/vm/run-vm.sh" "$work"
    exit
    ;;
  --in-vm)
    prepare ./payload_escape
    trap cleanup EXIT
    column nothing nothing nothing
    column systemd-run systemd systemd
    table
    exit
    ;;
esac

prepare "$here/build/payloads/payload_escape"
dir=${1:-$(mktemp -d)}
chmod 755 "$dir"
trap 'kill "$daemon" 2>/dev/null; wait "$daemon" 2>/dev/null; cleanup; [ $# -gt 0 ] || rm -rf "$dir"' EXIT
"$here/scripts/dev-setup.sh" "$dir"
"$here/build/bin/jobd" --config "$dir/jobd.toml" --set server.listen=127.0.0.1:0 --set limits.max_running=4 --set log.level=error &
daemon=$!
until [ -s "$dir/run/address" ]; do kill -0 $daemon || exit 1; sleep 0.05; done
JOBCTL_ADDRESS=$(<"$dir/run/address")
export JOBCTL_ADDRESS JOBCTL_CA=$dir/certs/ca.crt

column nothing nothing nothing
if command -v bwrap >/dev/null; then column bubblewrap bubblewrap bubblewrap; else echo "bubblewrap is not installed: left out" >&2; fi
for profile in open standard strict; do column "jobd $profile" attack_$profile victim_$profile; done
table
