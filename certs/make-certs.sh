#!/bin/bash
# Makes a development PKI in DIR: an authority, a server certificate for this machine, and a certificate for each of four users, with
# the users file that gives them their roles. For trying jobd out: keep ca.key of a real installation elsewhere.
#
# usage: make-certs.sh DIR
#
# Files that exist are kept, so it can be run again. ECDSA P-256, TLS needs nothing larger and its handshakes are the fastest.
set -euo pipefail
umask 077

usage() { echo "usage: ${0##*/} DIR" >&2; exit 2; }
[ $# -eq 1 ] && [ -n "$1" ] && [[ $1 != -* ]] || usage
command -v openssl >/dev/null || { echo "${0##*/}: openssl is not installed" >&2; exit 1; }
dir=$1
mkdir -p -- "$dir"
cd -- "$dir"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

if [ ! -e ca.crt ]; then
  make_key ca.key
  openssl req -x509 -new -key ca.key -sha256 -days 3650 -subj "/CN=jobd development CA" -out ca.crt \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign"
fi

# sign NAME EXTENSIONS: NAME.crt and NAME.key, signed by the authority.
sign() {
  local name=$1 extensions=$2
  [ ! -e "$name.crt" ] || return 0
  make_key "$name.key"
  printf '%s\n' "basicConstraints=critical,CA:FALSE" "keyUsage=critical,digitalSignature" \
    "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" "$extensions" > "$work/$name.ext"
  openssl req -new -key "$name.key" -subj "/CN=$name" -out "$work/$name.csr"
  openssl x509 -req -in "$work/$name.csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 15)" -sha256 -days 825 \
    -extfile "$work/$name.ext" -out "$name.crt" 2>/dev/null
}

sign server $'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'
for user in admin operator operator2 viewer; do
  sign "$user" $'extendedKeyUsage=clientAuth\nsubjectAltName=URI:spiffe://jobd/user/'"$user"
done
chmod 644 -- *.crt

if [ ! -e users.toml ]; then
  cat > users.toml <<'EOF'
# Who may do what. A user is known by the certificate's URI, spiffe://jobd/user/NAME.
#   admin     everything
#   operator  submits, and sees and steers what is their own
#   viewer    sees everything and changes nothing
# Optional: disabled = true, profiles = ["…"], run_as = ["account", …] (the first is the default), workdirs = ["/folder", …],
# max_queued, max_running, and the most a job may ask for: max_memory, max_cpus, max_pids, max_timeout, max_output, max_file_size,
# max_open_files, max_tmp_size, max_io_read, max_io_write. A section [role.operator] says the same for all operators.
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
EOF
  chmod 644 users.toml
fi
