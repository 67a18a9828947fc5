#!/bin/bash
# Boots the virtual machine of build-image.sh, runs DIR/run.sh in it as root, and exits with its exit code.
#
# usage: run-vm.sh DIR [SECONDS]      99: the machine did not get as far as an exit code, or not within SECONDS (default 300)
#
# DIR is unpacked at /from-host in the guest, and is run.sh's working directory; what it writes to results/ is found in DIR/results
# afterwards. What it prints comes out as it is printed. Nothing of the image is changed: every run starts from the same.
#
# ACCEL (tcg) is the accelerator and is always named: where /dev/kvm exists but cannot boot a stock kernel, qemu's own choice hangs.
# With a real KVM: ACCEL=kvm. CPUS (2) and MEMORY (1024, MiB) size the machine; KERNEL_OPTIONS are added to its command line.
set -euo pipefail
[ $# -ge 1 ] && [ -f "$1/run.sh" ] || { echo "usage: ${0##*/} DIR [SECONDS], with DIR/run.sh" >&2; exit 2; }
here=$(cd -- "$(dirname -- "$0")" && pwd)
dir=$(cd -- "$1" && pwd)
seconds=${2:-300}
image=$("$here/build-image.sh")

work=$(mktemp -d)
qemu=
trap 'rm -rf -- "$work"; [ -z "$qemu" ] || kill -KILL "$qemu" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

# Disks are whole mebibytes: tar ends at its own end mark, whatever follows.
tar -C "$dir" --exclude=./results -cf "$work/in.tar" .
truncate -s %1M "$work/in.tar"
truncate -s 64M "$work/out.tar"

# NVMe and ext4 are built into Debian's cloud kernel, virtio's disks and 9p are not. tsc=reliable and mitigations=off: boot time.
timeout --kill-after=5 "$seconds" qemu-system-x86_64 -M q35 -accel "${ACCEL:-tcg}" -cpu max -smp "${CPUS:-2}" -m "${MEMORY:-1024}" \
  -nodefaults -display none -monitor none -no-reboot -kernel "$image/kernel" -append "console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rw \
panic=-1 quiet systemd.log_level=warning systemd.show_status=0 tsc=reliable mitigations=off ${KERNEL_OPTIONS:-}" \
  -drive "file=$image/root.ext4,format=raw,if=none,id=root,snapshot=on" -device nvme,drive=root,serial=root \
  -drive "file=$work/in.tar,format=raw,if=none,id=in,readonly=on" -device nvme,drive=in,serial=in \
  -drive "file=$work/out.tar,format=raw,if=none,id=out" -device nvme,drive=out,serial=out \
  -serial stdio -serial "file:$work/status" </dev/null &
qemu=$!
wait "$qemu" || echo "${0##*/}: the machine was ended after $seconds s, or qemu failed" >&2
qemu=

mkdir -p "$dir/results"
tar -C "$dir/results" -xf "$work/out.tar" 2>/dev/null || true
code=$(sed -n 's/^exit \([0-9]*\).*/\1/p' "$work/status" 2>/dev/null)
exit "${code:-99}"
