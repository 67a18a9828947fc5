#!/bin/bash
# The checks that read code instead of running it: who includes whom, the size of files and folders, close-on-exec, formatting, protos
# (buf, from npm), and clang-tidy with TIDY=yes.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
problem() { echo "lint: $*"; failed=1; }
# Says each line of standard input as a problem.
problems() { while IFS= read -r line; do problem "$line"; done; }

git ls-files --cached --others --exclude-standard 'lib/*' 'daemon/*' 'server/*' 'cli/*' | grep -E '\.(h|cc)$' >"$work/sources"
git ls-files --cached --others --exclude-standard '*.h' '*.cc' >"$work/all"
# What was deleted and not yet committed is still listed.
for list in sources all; do
  while IFS= read -r file; do [ ! -e "$file" ] || echo "$file"; done <"$work/$list" >"$work/there" && mv "$work/there" "$work/$list"
done

# Includes run one way: each folder and the folders it may include from, itself always. `proto` is the generated code.
cat >"$work/arrows" <<'END'
lib/base
lib/auth                    lib/base
lib/audit                   lib/base
lib/config                  lib/base lib/auth
lib/logging                 lib/base
lib/sandbox/cgroup          lib/base
lib/sandbox/rules           lib/base lib/config
lib/sandbox/isolation       lib/base lib/sandbox/cgroup lib/sandbox/rules
lib/launch/contract         lib/base
lib/launch/process          lib/base lib/sandbox/cgroup lib/sandbox/rules lib/sandbox/isolation lib/launch/contract
lib/launch/shim             lib/base lib/sandbox/cgroup lib/sandbox/rules lib/sandbox/isolation lib/launch/contract lib/launch/process
lib/launch/launcher         lib/base lib/sandbox/cgroup lib/sandbox/rules lib/sandbox/isolation lib/launch/contract lib/launch/process lib/launch/shim
lib/launch/server           lib/base lib/sandbox/cgroup lib/sandbox/rules lib/sandbox/isolation lib/launch/contract lib/launch/process
daemon                      lib/base lib/auth lib/audit lib/config lib/logging lib/sandbox/cgroup lib/sandbox/rules lib/sandbox/isolation lib/launch/contract lib/launch/process lib/launch/shim lib/launch/launcher lib/launch/server

lib/worker/model            lib/base lib/launch/contract
lib/worker/plan             lib/base lib/worker/model
lib/worker/store            lib/base lib/launch/contract lib/worker/model
lib/worker/launcher         lib/base lib/launch/contract lib/worker/model
lib/worker/launcher/local   lib/base lib/launch/contract lib/worker/model lib/worker/launcher lib/worker/store lib/worker/watch
lib/worker/watch            lib/base lib/worker/model
lib/worker/catalogue        lib/base lib/worker/model lib/worker/store lib/worker/watch
lib/worker/logs             lib/base lib/launch/contract lib/worker/model lib/worker/store lib/worker/watch
lib/worker/run              lib/base lib/launch/contract lib/worker/model lib/worker/plan lib/worker/store lib/worker/launcher lib/worker/watch
lib/worker/ops              lib/base lib/launch/contract lib/worker/model lib/worker/plan lib/worker/store lib/worker/run
lib/worker/keep             lib/base lib/launch/contract lib/worker/model lib/worker/store lib/worker/run lib/worker/logs
lib/worker                  lib/base lib/launch/contract lib/worker/model lib/worker/plan lib/worker/store lib/worker/launcher lib/worker/watch lib/worker/catalogue lib/worker/logs lib/worker/run lib/worker/ops lib/worker/keep

server/auth/session         lib/base lib/auth lib/config lib/worker/model
server/auth                 lib/base lib/auth lib/config lib/logging lib/launch/contract lib/worker/model server/auth/session
server/rpc                  proto lib/base lib/logging lib/worker lib/worker/model server/auth server/auth/session
server/ops                  lib/base lib/config lib/logging lib/launch/contract lib/worker lib/worker/model lib/worker/store lib/worker/launcher lib/worker/launcher/local server/auth server/auth/session
server/api                  proto lib/base lib/auth lib/config lib/logging lib/launch/contract lib/worker lib/worker/model lib/worker/logs server/auth server/auth/session server/rpc server/ops
server/grpc/connections     lib/base server/auth server/auth/session server/ops
server/grpc                 proto lib/base lib/logging lib/worker/model server/auth server/auth/session server/rpc server/ops server/grpc/connections
server                      lib/base lib/config lib/logging lib/launch/contract lib/worker lib/worker/launcher lib/worker/launcher/local server/auth server/auth/session server/rpc server/ops server/api server/grpc server/grpc/connections

cli/view                    proto lib/base
cli/connect/check           proto lib/base
cli/connect                 proto lib/base lib/auth cli/view cli/batch cli/connect/check
cli/batch                   proto lib/base cli/view
cli/completion              proto lib/base cli/view cli/connect
cli/verbs                   proto lib/base lib/auth cli/view cli/connect cli/connect/check cli/batch cli/completion
cli                         lib/base cli/view cli/connect cli/batch cli/completion cli/verbs
END
# shellcheck disable=SC2016
xargs awk '
  function folder(path) { sub(/\/[^\/]*$/, "", path); return path }
  NR == FNR { known[$1] = 1; may[$1, $1] = 1; for (i = 2; i <= NF; ++i) may[$1, $i] = 1; next }
  FNR == 1 { here = folder(FILENAME); if (!(here in known)) { known[here] = 1; print here " has no arrows in scripts/lint.sh" } }
  /^#include "/ {
    split($0, part, "\""); to = folder(part[2])
    if (to ~ /^(jobd\/v1|google|grpc)(\/|$)/) to = "proto"; else if (to !~ /^(server|cli|daemon)(\/|$)/) to = "lib/" to
    if (!((here, to) in may)) print FILENAME " includes " part[2]
  }' "$work/arrows" <"$work/sources" >"$work/found"
problems <"$work/found"

# What comes from outside is known in few places: a pattern of headers, and of the files that may include them.
while read -r header files; do
  xargs grep -HE "^#include <($header)" <"$work/sources" | grep -vE "^($files)" | sed 's/:#include / includes /'
done >"$work/found" <<'END'
grpc             server/grpc/|cli/connect/
google/protobuf  server/|cli/
sqlite3|SQLiteCpp lib/worker/store/sqlite
zstd             lib/worker/logs/zstd_frame.cc
prometheus       server/ops/metrics.cc
CLI/             cli/|daemon/options.cc|server/options.cc
boost/process    daemon/|lib/launch/
toml             lib/config/|cli/connect/context_file.cc
sodium           lib/auth/
absl             lib/base/token_signer.cc|server/grpc/|server/main.cc|cli/
END
problems <"$work/found"

# A folder tells its story by `ls`, is a target of its own, and a file has one idea.
awk '{ sub(/\/[^\/]*$/, ""); ++files[$0] } END { for (f in files) if (files[f] > 32) print f " has " files[f] " source files" }' "$work/all" |
  sort >"$work/found"
problems <"$work/found"
grep '\.cc$' "$work/sources" | xargs -n 1 dirname | sort -u | while IFS= read -r folder; do
  # Its own CMakeLists.txt declares it, or that of the folder above with the sources of this one alone.
  grep -qE '^ *jobd_(library|program)\(' "$folder/CMakeLists.txt" 2>/dev/null ||
    grep -qE "GLOB sources CONFIGURE_DEPENDS ${folder##*/}/\*\.cc\)" "${folder%/*}/CMakeLists.txt" 2>/dev/null ||
    echo "$folder has no CMake target of its own"
done >"$work/found"
problems <"$work/found"
xargs wc -l <"$work/all" | awk '$2 != "total" && $1 > 400 { print $2 " has " $1 " lines" }' >"$work/found"
problems <"$work/found"

# Descriptors are born close-on-exec.
xargs grep -nE '\b(::)?(open|openat|pipe2|socket|socketpair|accept4|memfd_create|epoll_create1|inotify_init1|eventfd|signalfd|timerfd_create)\(' \
  <"$work/sources" | grep -vE 'CLOEXEC|//|::openat\(dir|open\(\)|\.open\(|std::|operator' >"$work/found" || true
[ ! -s "$work/found" ] || problem "descriptors that are not born close-on-exec?"
cat "$work/found"

if command -v clang-format >/dev/null; then
  xargs -P "$(nproc)" -n 40 clang-format --dry-run -Werror <"$work/all" 2>&1 | grep -E '^[^ ].*error' | cut -d: -f1 | sort -u |
    sed 's/$/ is not formatted/' >"$work/found"
  problems <"$work/found"
fi

# buf wants all protos of a workspace in one place.
if command -v npx >/dev/null; then
  api=/usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/third_party/googleapis
  mkdir "$work/jobd" "$work/google" && cp -r proto/jobd "$work/jobd/" && cp -r $api/google "$work/google/"
  sed 's|- path: .|- path: jobd\n  - path: google\n    lint:\n      ignore: [google]|' proto/buf.yaml >"$work/buf.yaml"
  (cd "$work" && npx --yes @bufbuild/buf lint) || problem "buf lint"
else
  echo "lint: npx is not here, protos were not checked"
fi

if command -v clang-tidy >/dev/null && [ -e build/compile_commands.json ] && [ "${TIDY:-no}" = yes ]; then
  grep -E '^(lib|daemon)/.*\.cc$' "$work/sources" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build || failed=1
fi
exit $failed
