#!/bin/bash
# Installs what jobd is built from and tested with. Debian 12; does nothing when all of it is there.
#
# usage: deps.sh               what is needed
#        deps.sh vm            what the tests in a virtual machine need instead
#        deps.sh programs      those that tests run in jobs, and shells
set -euo pipefail

packages=(
  # building
  g++ cmake ninja-build pkg-config ca-certificates
  # the API
  libgrpc++-dev libgrpc-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libssl-dev zlib1g-dev libc-ares-dev libre2-dev
  libabsl-dev golang-github-grpc-ecosystem-grpc-gateway-dev
  # the rest of the programs
  libboost1.81-dev libspdlog-dev libfmt-dev libsqlite3-dev libsqlitecpp-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libyaml-cpp-dev
  prometheus-cpp-dev libzstd-dev libsodium-dev
  # tests, certificates, demo
  libgtest-dev libgmock-dev openssl procps util-linux strace zstd
  # benchmarks of single pieces
  libbenchmark-dev
)
case ${1:-} in
  vm) packages=(qemu-system-x86 mmdebstrap e2fsprogs) ;;
  programs) packages=(git openssh-client python3-venv nodejs npm default-jdk-headless gcc make ccache tmux gpg gpg-agent sqlite3 curl postgresql
    bash zsh fish) ;;
esac

# A program counts by itself, where jobs find it: it need not have come as Debian's package.
if [ "${1:-}" = programs ]; then
  declare -A program=([openssh-client]=ssh [python3-venv]=python3 [nodejs]=node [default-jdk-headless]=javac [gpg-agent]=gpg-agent)
  wanted=("${packages[@]}")
  packages=()
  for package in "${wanted[@]}"; do
    [ "$package" != postgresql ] || ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || continue
    PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin command -v "${program[$package]:-$package}" >/dev/null || packages+=("$package")
  done
fi

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "make deps: as root, please install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
