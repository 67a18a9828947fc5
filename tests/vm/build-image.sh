#!/bin/bash
# Builds the virtual machine in which the tests find what only a real machine has: systemd as PID 1 and pure cgroup v2 with all its
# controllers. A minimal Debian 12 with systemd 252. Prints the folder with `kernel` and `root.ext4`.
#
# usage: build-image.sh      as root, who mmdebstrap needs to be to keep the owners of files
#
# Cached in $XDG_CACHE_HOME/jobd-vm, else in build/vm, under a hash of what it is made from: this script and guest/.
set -euo pipefail
here=$(cd -- "$(dirname -- "$0")" && pwd)
cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/jobd-vm}
cache=${cache:-$(cd -- "$here/../.." && pwd)/build/vm}

packages=(
  systemd systemd-sysv dbus kmod procps iproute2
  # what jobd, jobd-server and jobctl are linked with (ldd build/bin/*)
  libssl3 libstdc++6 libsqlite3-0 libspdlog1.10 libfmt9 libyaml-cpp0.7 libsodium23 libseccomp2 libcap2 libsystemd0 libprometheus-cpp-core1.0 libzstd1
  # what the tests use
  openssl jq curl
)
# Units that only cost time in a machine without disks, terminals and network to look after.
masked=(
  systemd-timesyncd systemd-resolved systemd-networkd systemd-logind systemd-user-sessions systemd-random-seed systemd-pstore
  systemd-machine-id-commit systemd-binfmt systemd-journal-flush systemd-update-utmp systemd-update-utmp-runlevel systemd-udevd
  systemd-udev-trigger systemd-udevd-control.socket systemd-udevd-kernel.socket getty@tty1 serial-getty@ttyS0 getty.target
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap fstrim.timer
  systemd-tmpfiles-clean.timer proc-sys-fs-binfmt_misc.automount
)

# Run by mmdebstrap on the finished tree $1: the kernel, the agent, the image.
if [ "${1:-}" = --finish ]; then
  root=$2 out=$3
  kernel=$(APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
  (cd "$out" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq download "$kernel")
  dpkg-deb -x "$out"/linux-image-*.deb "$out/unpacked"
  cp "$out"/unpacked/boot/vmlinuz-* "$out/kernel"
  cp -a "$out/unpacked/lib/modules" "$root/usr/lib/"
  chroot "$root" depmod "${kernel#linux-image-}"
  rm -rf "$out/unpacked" "$out"/linux-image-*.deb

  install -m 755 "$here/guest/run-from-host" "$root/usr/local/sbin/"
  install -m 644 "$here/guest/run-from-host.service" "$root/etc/systemd/system/"
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
  ln -s ../run-from-host.service "$root/etc/systemd/system/multi-user.target.wants/"
  for unit in "${masked[@]}"; do
    [[ $unit == *.* ]] || unit+=.service
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
  done
  echo jobd-vm > "$root/etc/hostname"
  echo '127.0.0.1 localhost jobd-vm' > "$root/etc/hosts"
  : > "$root/etc/fstab"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  # A copy, because /proc, /sys and /dev are mounted in the tree.
  cp -ax "$root" "$out/tree"
  truncate -s 500M "$out/root.ext4"
  mke2fs -q -t ext4 -O ^has_journal -L root -d "$out/tree" "$out/root.ext4"
  rm -rf "$out/tree"
  exit
fi

key=$(cat "$here/build-image.sh" "$here"/guest/* | sha256sum | cut -c1-16)
image=$cache/$key
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -d "$image" ]; then
  echo "building the virtual machine: $image" >&2
  work=$(mktemp -d "$cache/building.XXXXXX")
  trap 'rm -rf -- "$work"' EXIT
  # dpkg's many fsyncs protect nothing here. The format null: what is kept is what --finish makes.
  mmdebstrap --quiet --variant=minbase --format=null --include="$(IFS=,; echo "${packages[*]}")" \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --customize-hook="'$here/build-image.sh' --finish \"\$1\" '$work'" \
    bookworm /dev/null >"$cache/build.log" 2>&1 || { tail -n 30 "$cache/build.log" >&2; exit 1; }
  chmod 755 "$work"
  # An image of an older script is of no more use.
  find "$cache" -mindepth 1 -maxdepth 1 -type d ! -path "$work" -exec rm -rf {} +
  mv "$work" "$image"
  trap - EXIT
fi
echo "$image"
