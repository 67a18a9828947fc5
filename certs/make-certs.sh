#!/bin/bash
# Makes a development PKI in DIR: an authority, a server certificate for this machine, and a certificate for each of four users, with
# the users file that gives them their roles. For trying jobd out: keep ca.key of a real installation elsewhere.
#
# usage: make-certs.sh DIR                  the above
#        make-certs.sh DIR user NAME        one more pair, for a person or a program that is at once that user
#        make-certs.sh DIR host NAME        one more pair, for a machine or a program that others log in from
#        make-certs.sh DIR revoke NAME      every certificate that NAME ever got goes onto DIR/revoked.txt, which [tls] revoked names
#        make-certs.sh DIR renew [NAME…]    a new certificate to the same key, for these or for all that are not revoked, the authority
#                                           included where it would end before them
#
# JOBD_SERVER_NAMES="build.example 192.0.2.7" adds names to the server's certificate, which is for localhost and this machine's name.
# Files that exist are kept, so each can be run again. ECDSA P-256, TLS needs nothing larger and its handshakes are the fastest. Keys are
# readable by their owner alone. `user` and `host` print the lines that jobctl and the users file need; all else is said on standard error.
set -euo pipefail
umask 077

me=${0##*/}
usage() { sed -n '/^# usage:/,/^#$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "$me: $*" >&2; exit 1; }
[ $# -ge 1 ] && [ -n "$1" ] && [[ $1 != -* ]] || usage
dir=$1 verb=${2:-all} name=${3:-}
case $verb in
  all) [ $# -eq 1 ] || usage ;;
  user | host | revoke) [ $# -eq 3 ] || usage ;;
  renew) ;;
  *) usage ;;
esac
# As jobd has it; and it becomes a file's name.
for given in "${@:3}"; do
  [[ $given =~ ^[A-Za-z0-9_][A-Za-z0-9._:-]{0,127}$ ]] || { echo "$me: a name is letters, digits, '_', and then also '.', ':', '-'" >&2; exit 2; }
done
case $verb:$name in
  user:ca | user:server | host:ca | host:server) fail "$name.crt is of the $name itself: choose another name" ;;
  revoke:ca | revoke:server) fail "only clients' certificates can be revoked; make new ones for the $name in another folder" ;;
esac
command -v openssl >/dev/null || fail "openssl is not installed"
if [ "$verb" = all ] || [ "$verb" = user ] || [ "$verb" = host ]; then mkdir -p -- "$dir"; fi
cd -- "$dir" || exit 1
[ "$verb" = all ] || [ -e ca.crt ] || fail "there is no authority in $dir: make it with $me $dir"
# One at a time.
exec 9>.lock
flock 9

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# The days of a client's or server's certificate, and of the authority's.
days=825 ca_days=3650

serial() { echo "0x$(openssl rand -hex 15)"; }
# put FILE MODE COMMAND…: what the command prints becomes FILE, whole and on the disk. Where the command fails, or the disk is full, FILE
# stays what it was.
put() {
  local file=$1 mode=$2
  shift 2
  rm -f -- ".$file.new"
  if ! { "$@" >".$file.new" 2>"$work/said" && [ -s ".$file.new" ] && chmod "$mode" ".$file.new" && sync -- ".$file.new" &&
         mv -f -- ".$file.new" "$file"; }; then
    rm -f -- ".$file.new"
    cat -- "$work/said" >&2
    fail "$file could not be written, and is what it was before"
  fi
  sync -- . 2>/dev/null || true  # the name; not every file system can
}
make_key() { put "$1" 600 openssl ecparam -name prime256v1 -genkey -noout; }
fingerprint() { openssl x509 -in "$1" -outform DER | sha256sum | cut -c1-64; }
# uri FILE: spiffe://jobd/user/NAME.
uri() { openssl x509 -in "$1" -noout -ext subjectAltName 2>/dev/null | sed -n 's/^ *URI://p'; }
is_revoked() { [ -e revoked.txt ] && grep -qi "^$(fingerprint "$1")" revoked.txt; }
# What a name was ever given, so that all of it can be revoked when only the newest is still here.
# publish NAME: $work/crt becomes its certificate, recorded before it is anybody's.
publish() {
  put issued.txt 644 with_line issued.txt "$(fingerprint "$work/crt") $(date -u +%FT%TZ) $1"
  put "$1.crt" 644 cat "$work/crt"
}
# with_line FILE LINE…: the file, if there is one, and these.
with_line() {
  if [ -e "$1" ]; then sed -e '$a\' -- "$1" || return; fi
  shift
  printf '%s\n' "$@"
}

make_ca() {
  put ca.crt 644 openssl req -x509 -new -key ca.key -sha256 -days $ca_days -subj "/CN=jobd development CA" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign"
}
need_ca_key() { [ -e ca.key ] || fail "ca.key is not in $dir: put it there while certificates are made"; }
# sign NAME OPTION…: what $work/csr asks for becomes $work/crt.
sign() {
  openssl x509 -req -in "$work/csr" -CA ca.crt -CAkey ca.key -set_serial "$(serial)" -sha256 -days $days "${@:2}" -out "$work/crt" \
    2>"$work/said" || { cat -- "$work/said" >&2; fail "the certificate of $1 cannot be signed"; }
}
# issue NAME EXTENSIONS: a certificate to NAME.key, signed by the authority.
issue() {
  printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
    "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" "$2" >"$work/ext"
  # The common name is for people, and has 64 characters at most; names are told by the URI.
  openssl req -new -key "$1.key" -subj "/CN=${1:0:64}" -out "$work/csr"
  sign "$1" -extfile "$work/ext"
  publish "$1"
}
client() { printf 'extendedKeyUsage=clientAuth\nsubjectAltName=URI:spiffe://jobd/%s/%s' "$1" "$2"; }
# The names and addresses that clients reach the server by: this machine's own, and JOBD_SERVER_NAMES, with blanks between them.
server_names() {
  local given names=DNS:localhost,IP:127.0.0.1,IP:::1
  # A machine may have no name, or none that could be looked up.
  for given in $(hostname 2>/dev/null) $(hostname -f 2>/dev/null); do
    [[ ! $given =~ ^[A-Za-z0-9][A-Za-z0-9.-]*$ || ,$names, == *,DNS:$given,* ]] || names+=,DNS:$given
  done
  for given in ${JOBD_SERVER_NAMES:-}; do
    if [[ $given =~ ^[0-9.]+$ || $given =~ ^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$ ]]; then
      names+=,IP:$given
    elif [[ $given =~ ^[A-Za-z0-9*][A-Za-z0-9._*-]*$ ]]; then
      names+=,DNS:$given
    else
      fail "JOBD_SERVER_NAMES: '$given' is neither a name nor an address"
    fi
  done
  printf 'extendedKeyUsage=serverAuth\nsubjectAltName=%s' "$names"
}

# pair NAME EXTENSIONS: what is missing of NAME.crt and NAME.key.
pair() {
  [ ! -e "$1.crt" ] || return 0
  need_ca_key
  [ -e "$1.key" ] || make_key "$1.key"
  issue "$1" "$2"
}

make_all() {
  local names
  names=$(server_names)
  if [ ! -e ca.crt ]; then
    [ -e ca.key ] || make_key ca.key
    make_ca
  fi
  pair server "$names"
  for user in admin operator operator2 viewer; do pair "$user" "$(client user "$user")"; done
  [ -e revoked.txt ] || put revoked.txt 644 cat <<'END'
# Revoked certificates, for [tls] revoked: a SHA-256 fingerprint or a serial number a line. jobd takes it up at SIGHUP or `jobctl admin reload`.
END
  [ -e users.toml ] || put users.toml 644 cat <<'END'
# Who may do what. A user is known by the certificate's URI, spiffe://jobd/user/NAME. `jobd user add NAME` adds one.
#   admin     everything
#   operator  submits, and sees and steers what is their own
#   viewer    sees everything and changes nothing
# Optional: disabled = true, profiles = ["…"], run_as = ["account", …] (the first is the default), workdirs = ["/folder", …],
# max_queued, max_running, and the most a job may ask for: max_memory, max_cpus, max_pids, max_timeout, max_output, max_file_size,
# max_open_files, max_tmp_size, max_io_read, max_io_write, max_core. A section [role.operator] says the same for all operators.
# retention = { max_age = "7d", max_bytes = "1G", max_batches = 1000 }: how much is kept of what they ran.

[[user]]
name = "admin"
role = "admin"

[[user]]
name = "operator"
role = "operator"

[[user]]
name = "operator2"
role = "operator"

[[user]]
name = "viewer"
role = "viewer"
END
}

# add KIND NAME
add() {
  if [ -e "$2.crt" ]; then
    [ "$(uri "$2.crt")" = "spiffe://jobd/$1/$2" ] || fail "$2.crt is there already, and is not of a $1: choose another name"
    if is_revoked "$2.crt"; then
      # Its key may be in wrong hands: both are put aside.
      local aside
      aside=$2.revoked-$(date -u +%Y%m%dT%H%M%SZ)
      mv -- "$2.crt" "$aside.crt"
      [ ! -e "$2.key" ] || mv -- "$2.key" "$aside.key"
      echo "$me: $2 was revoked, and gets a new key; the old pair is $aside" >&2
    fi
  elif [ -e "$2.key" ]; then
    echo "$me: $2.key is there already, and gets a certificate" >&2
  fi
  pair "$2" "$(client "$1" "$2")"
  local here
  here=$(pwd)
  printf 'jobctl context add %q --address %q --ca %q --cert %q --key %q\n' "$2" "${JOBD_ADDRESS:-127.0.0.1:7443}" \
    "$here/ca.crt" "$here/$2.crt" "$here/$2.key"
  if [ "$1" = user ]; then
    echo "# on the server, unless they are known there:  jobd user add $2 --role operator"
  else
    echo "# then each of its users: jobctl login USER"
    printf '# for the users file on the server:\n[[host]]\nname = "%s"\nmax_role = "operator"\n' "$2"
  fi
}

# revoke NAME
revoke() {
  local prints new=()
  # Beside what is recorded: what is here, which an older version of this script or another authority may have made.
  prints=$({ awk -v name="$1" '$3 == name { print $1 }' issued.txt 2>/dev/null || true
             if [ -e "$1.crt" ]; then fingerprint "$1.crt"; fi; } | awk '!seen[$0]++')
  [ -n "$prints" ] || fail "there is no certificate of $1 in $dir"
  for print in $prints; do
    { [ -e revoked.txt ] && grep -qi "^$print" revoked.txt; } || new+=("$print")
  done
  if [ ${#new[@]} -eq 0 ]; then
    echo "$me: $1 is revoked already" >&2
    return
  fi
  put revoked.txt 644 with_line revoked.txt "${new[@]/%/  # $1, $(date -u +%FT%TZ)}"
  echo "$me: ${#new[@]} of $1 revoked in $(pwd)/revoked.txt; now: jobctl admin reload, with [tls] revoked naming that file" >&2
}

# renew [NAME…]
renew() {
  need_ca_key
  local names=("$@") file one
  if [ ${#names[@]} -eq 0 ]; then
    for file in *.crt; do
      one=${file%.crt}
      [ "$one" = ca ] || [ ! -e "$one.key" ] || is_revoked "$file" || names+=("$one")
    done
  fi
  for one in ${names[@]+"${names[@]}"}; do
    [ "$one" != ca ] || fail "the authority is renewed by itself, when what it signs would outlive it"
    [ -e "$one.crt" ] && [ -e "$one.key" ] || fail "there is no pair $one.crt and $one.key in $dir"
    ! is_revoked "$one.crt" || fail "$one is revoked: make a new pair with $me $dir user $one"
  done
  # With its key and name it is the same authority to all certificates it ever signed.
  if ! openssl x509 -in ca.crt -noout -checkend $((days * 86400)) >/dev/null; then
    make_ca
    echo "$me: ca.crt is new: give it to all who have the old one, before that ends" >&2
  fi
  for one in ${names[@]+"${names[@]}"}; do
    # All that it says of itself is taken over: a server's may have other names by now.
    openssl x509 -in "$one.crt" -x509toreq -copy_extensions copyall -key "$one.key" -out "$work/csr" 2>/dev/null
    sign "$one" -copy_extensions copyall
    publish "$one"
    echo "$me: $one.crt is new, until $(openssl x509 -in "$one.crt" -noout -enddate | cut -d= -f2)" >&2
  done
}

case $verb in
  all) make_all ;;
  user | host) add "$verb" "$name" ;;
  revoke) revoke "$name" ;;
  renew) renew "${@:3}" ;;
esac
