#!/bin/bash
# Installs what jobd is built from and tested with. Debian 12; does nothing when all of it is there.
#
# usage: deps.sh [vm]      vm: what the tests in a virtual machine need instead
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
[ "${1:-}" != vm ] || packages=(qemu-system-x86 mmdebstrap e2fsprogs)

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
