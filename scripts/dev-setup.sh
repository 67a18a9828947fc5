#!/bin/bash
# Makes what a development daemon needs in DIR: certificates, users, jobd.toml. What exists is kept.
#
# usage: dev-setup.sh [--hint] DIR        --hint only says how to talk to the daemon
set -euo pipefail
hint=no
if [ "${1:-}" = --hint ]; then hint=yes; shift; fi
[ $# -eq 1 ] && [[ $1 != -* ]] || { echo "usage: ${0##*/} [--hint] DIR" >&2; exit 2; }
here=$(cd -- "$(dirname -- "$0")/.." && pwd)
mkdir -p -- "$1"
dir=$(cd -- "$1" && pwd)

if [ $hint = yes ]; then
  cat >&2 <<EOF
In another terminal:
  export JOBCTL_CA=$dir/certs/ca.crt JOBCTL_CERT=$dir/certs/operator.crt JOBCTL_KEY=$dir/certs/operator.key PATH=$here/build/bin:\$PATH
  jobctl run -- echo hello
EOF
  exit 0
fi

"$here/certs/make-certs.sh" "$dir/certs"
[ -e "$dir/jobd.toml" ] || cat > "$dir/jobd.toml" <<'EOF'
# A development daemon. Relative paths are taken from this file's folder.
[server]
listen = "127.0.0.1:7443"
state_dir = "state"
log_dir = "logs"
runtime_dir = "run"

[tls]
ca = "certs/ca.crt"
cert = "certs/server.crt"
key = "certs/server.key"
revoked = "certs/revoked.txt"

[users]
file = "certs/users.toml"
EOF
