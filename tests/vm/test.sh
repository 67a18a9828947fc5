#!/bin/bash
# Installs the programs of a build into a folder, sends it to the virtual machine with the suite, and tests them there as systemd's
# service.
#
# usage: test.sh BUILD [TEST…]      without tests: all of them. VM_SECONDS (1200) is all the time they get
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: ${0##*/} BUILD [TEST…]" >&2; exit 2; }
here=$(cd -- "$(dirname -- "$0")" && pwd)
build=$(cd -- "$1" && pwd)
shift

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM
DESTDIR=$work/root cmake --install "$build" --prefix /usr/local --strip >"$work/install.log" || { cat "$work/install.log" >&2; exit 1; }
cp "$here"/suite/*.sh "$work/"
printf '%s\n' "$@" >"$work/selection"

begin=$SECONDS
code=0
"$here/run-vm.sh" "$work" "${VM_SECONDS:-1200}" || code=$?
echo "virtual machine: $((SECONDS - begin)) s, exit code $code"
exit "$code"
