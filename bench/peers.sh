# What else starts many short jobs, as arms of sections/jobs.sh. What is not installed is left out and named in `missing`.
missing=

# A container of the machine's own /usr, with the namespaces that `standard` has.
write_bundle() {
  mkdir -p "$1"/rootfs/{usr,proc,dev,tmp}
  ln -s usr/bin usr/lib usr/lib64 "$1/rootfs/"
  cat >"$1/config.json" <<'JSON'
{"ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": true},
 "process": {"terminal": false, "user": {"uid": 70000, "gid": 70000}, "cwd": "/", "noNewPrivileges": true,
  "env": ["PATH=/usr/bin:/bin"], "args": ["/usr/bin/true"]},
 "mounts": [{"destination": "/usr", "type": "bind", "source": "/usr", "options": ["bind", "ro"]},
  {"destination": "/proc", "type": "proc", "source": "proc"},
  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
  {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]}],
 "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}}
JSON
}

xargs_file() { seq "$1" | xargs -P2 -I{} sh -c "exec echo {} >$work/out.{}"; }
nq_all() {
  local -x NQDIR=$work/nq
  for _ in $(seq "$1"); do nq -q true; done
  nq -w
}
tsp_all() {
  for _ in $(seq "$1"); do tsp "${@:2}" true >/dev/null; done
  tsp -w
  # -w waits for the last one that was queued; another may end later.
  while [ -n "$(tsp | awk '$2 == "running" || $2 == "queued"')" ]; do tsp -w; done
}

# peer PROGRAM ENTRY: an arm, if the program is there.
peer() { if has "$1"; then arms+=("$2"); else missing+=" $1"; fi; }

peer_arms() {
  local jobs=$1 few=$(($1 / 10)) runtime
  local nothing='no state, no logs, no isolation'
  peer xargs "xargs|xargs -P2, \`true\`|$nothing|$jobs|seq $jobs | xargs -P2 -n1 true"
  peer xargs "xargs_file|xargs -P2, \`echo\` to a file each|a file per job; no state, no isolation|$jobs|xargs_file $jobs"
  arms+=("spawn|posix_spawn and wait, 2 wide|$nothing: the floor|$jobs|$bin/bench_spawn 2 $jobs true")
  { printf 'all:'; seq -f ' t%.0f' "$jobs" | tr -d '\n'; echo; echo '%:'; printf '\t@true\n'; } >"$work/Makefile"
  peer make "make|make -j2, \`true\`|$nothing|$jobs|make -s -j2 -f $work/Makefile all"
  peer parallel "parallel|GNU parallel -j2, \`true\`|output kept apart; no state, no isolation|$few|seq $few | parallel -j2 true"
  peer parallel "results|GNU parallel -j2 --results, \`echo\`|three files per job|$few|seq $few | parallel -j2 --results $work/results echo"
  if has tsp; then
    export TS_SOCKET=$work/tsp.socket TS_MAXFINISHED=10 TMPDIR=$work
    tsp -S 2
    at_end+=('tsp -K')
  fi
  peer tsp "tsp|task-spooler, 2 wide, \`true\`|state in memory, exit codes; output thrown away (-n)|$jobs|tsp_all $jobs -n"
  peer tsp "tsp_file|task-spooler, 2 wide, \`true\`, output kept|a file per job; state in memory|$jobs|tsp_all $jobs"
  peer nq "nq|nq, one wide, \`true\`|a file per job|$few|nq_all $few"
  peer bwrap "bwrap|bubblewrap, 2 wide, \`true\`|pid, ipc, uts, mount namespaces; no cgroup, no filter, no state, no logs|$jobs|$bin/bench_spawn 2 $jobs bwrap --unshare-pid --unshare-ipc --unshare-uts --bind / / --proc /proc --dev /dev --tmpfs /tmp true"
  write_bundle "$work/bundle"
  for runtime in crun runc; do
    if has $runtime && $runtime run --bundle "$work/bundle" "bench-$$" >/dev/null 2>&1; then
      arms+=("$runtime|$runtime, 2 wide, \`true\`|the same namespaces, cgroup; no state, no logs|$few|$bin/bench_spawn 2 $few $runtime run --bundle $work/bundle bench-$$-{}")
    else
      missing+=" $runtime"
    fi
  done
}

# What the peers left, so that each round finds the same.
clear_peers() { rm -rf "$work"/out.* "$work/results" "$work/nq" "$work"/ts-out.*; }
