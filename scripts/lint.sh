#!/bin/bash
# The checks that read code instead of running it: protos (buf, from npm), layering of includes, close-on-exec, formatting, clang-tidy.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
problem() { echo "lint: $*"; failed=1; }

# Includes run one way: a folder may include only from those named.
allowed() {
  case $1 in
    lib/base/*) echo base ;;
    lib/config/*) echo base config ;;
    lib/logging/*) echo base logging ;;
    lib/sandbox/cgroup/*) echo base sandbox/cgroup ;;
    lib/sandbox/rules/*) echo base config sandbox/rules ;;
    lib/sandbox/isolation/*) echo base sandbox ;;
    lib/launch/contract/*) echo base launch/contract ;;
    lib/launch/process/*) echo base sandbox launch/contract launch/process ;;
    lib/launch/shim/*) echo base sandbox launch/contract launch/process launch/shim ;;
    lib/launch/launcher/*) echo base sandbox launch/contract launch/process launch/shim launch/launcher ;;
    lib/launch/server/*) echo base sandbox launch/contract launch/process launch/server ;;
    lib/worker/*) echo base worker launch/contract ;;
    daemon/*) echo base config logging sandbox launch daemon ;;
    server/*) echo base config logging launch/contract worker server jobd/v1 google grpcpp ;;
    cli/*) echo base cli jobd/v1 google grpcpp ;;
    *) echo '' ;;
  esac
}
while IFS= read -r file; do
  names=$(allowed "$file")
  [ -n "$names" ] || continue
  while IFS= read -r include; do
    ok=no
    for name in $names; do [[ $include == "$name"/* ]] && ok=yes; done
    [ $ok = yes ] || problem "$file includes $include"
  done < <(sed -n 's/^#include "\(.*\)"/\1/p' "$file")
done < <(git ls-files 'lib/**.h' 'lib/**.cc' 'daemon/*' 'server/*' 'cli/*' | grep -E '\.(h|cc)$')

# Descriptors are born close-on-exec.
git grep -nE '\b(::)?(open|openat|pipe2|socket|socketpair|accept4|memfd_create|epoll_create1|inotify_init1|eventfd|signalfd|timerfd_create)\(' -- lib daemon server cli |
  grep -vE 'CLOEXEC|//|::openat\(dir|open\(\)|\.open\(' | grep -vE 'std::|operator' >/tmp/jobd-lint.$$ || true
[ ! -s /tmp/jobd-lint.$$ ] || { problem "descriptors that are not born close-on-exec?"; cat /tmp/jobd-lint.$$; }
rm -f /tmp/jobd-lint.$$

# Files have one idea.
git ls-files '*.h' '*.cc' | xargs wc -l | awk '$2 != "total" && $1 > 400 {print "lint: " $2 " has " $1 " lines"; bad = 1} END {exit bad}' || failed=1

if command -v clang-format >/dev/null; then
  git ls-files '*.h' '*.cc' | xargs clang-format --dry-run -Werror 2>&1 | grep -E '^[^ ].*error' | cut -d: -f1 | sort -u | sed 's/^/lint: not formatted: /' >/tmp/jobd-fmt.$$
  [ ! -s /tmp/jobd-fmt.$$ ] || { cat /tmp/jobd-fmt.$$; failed=1; }
  rm -f /tmp/jobd-fmt.$$
fi

# buf wants all protos of a workspace in one place.
if command -v npx >/dev/null; then
  work=$(mktemp -d)
  api=/usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/third_party/googleapis
  mkdir "$work/jobd" "$work/google" && cp -r proto/jobd "$work/jobd/" && cp -r $api/google "$work/google/"
  sed 's|- path: .|- path: jobd\n  - path: google\n    lint:\n      ignore: [google]|' proto/buf.yaml >"$work/buf.yaml"
  (cd "$work" && npx --yes @bufbuild/buf lint) || problem "buf lint"
  rm -rf "$work"
else
  echo "lint: npx is not here, protos were not checked"
fi

if command -v clang-tidy >/dev/null && [ -e build/compile_commands.json ] && [ "${TIDY:-no}" = yes ]; then
  git ls-files 'lib/**.cc' 'daemon/*.cc' | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build || failed=1
fi
exit $failed
