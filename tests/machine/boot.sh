#!/usr/bin/env bash
# boot.sh BASE SOURCE: becomes PID 1, a real systemd, on a throw-away copy of this machine. To be started by
#   unshare --fork --pid --mount --uts --ipc --net --kill-child
# BASE is an empty directory; SOURCE, the checkout, appears read-only as /src. Nothing that happens in there reaches the
# files of the machine outside: what is written goes to an overlay in memory, and ends with PID 1.
set -euo pipefail
base=$1 source=$2
root=$base/root

mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$base"
mkdir "$base"/{upper,work,root,cgroup}
mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$root"

# what is mounted below / is not in an overlay of it; files too: a container's /etc/resolv.conf
while read -r _ _ _ _ at _; do
  case $at in / | /proc* | /sys* | /dev* | /run* | /tmp* | "$base"*) continue ;; esac
  if [ -d "$at" ]; then mkdir -p "$root$at"; fi
  { mount --bind "$at" "$root$at" && mount -o remount,bind,ro "$root$at"; } 2>/dev/null || true
done </proc/self/mountinfo
mkdir "$root/src"
mount --bind "$source" "$root/src"
mount -o remount,bind,ro "$root/src"

cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mount -t tmpfs -o mode=755,nosuid dev dev
for node in null zero full random urandom tty; do
  touch "dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

# the network is a loopback of its own, so the ports of the units are free; Python, because iproute2 may be missing
python3 - <<'UP'
import fcntl, socket, struct
IFF_UP, SIOCSIFFLAGS = 1, 0x8914
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
UP

# The parts of a boot that need hardware are left out; a service waits for sysinit and basic all the same.
units=etc/systemd/system
mkdir -p "$units"
for target in sysinit basic network-online; do
  printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" >"$units/$target.target"
done
cat >"$units/machine.target" <<'UNIT'
[Unit]
Description=A machine to install on
DefaultDependencies=no
Wants=systemd-journald.service systemd-journald.socket
AllowIsolate=yes
UNIT
rm -rf var/log/journal # the journal is kept in memory

# A control group of its own, which becomes the root of what systemd sees.
mount -t cgroup2 cgroup2 "$base/cgroup"
mkdir "$base/cgroup/machine-$$-${base##*/}"
echo 0 >"$base/cgroup/machine-$$-${base##*/}/cgroup.procs"
umount "$base/cgroup"
exec unshare --cgroup bash -euc '
  mount -t cgroup2 -o nsdelegate cgroup2 sys/fs/cgroup || mount -t cgroup2 cgroup2 sys/fs/cgroup
  mkdir tmp/old
  pivot_root . tmp/old
  cd /
  umount -l /tmp/old
  rmdir /tmp/old
  mount --make-rshared / # as a container manager does; credentials are mounted in one namespace and seen in another
  exec env -i container=lxc PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "$(command -v /usr/lib/systemd/systemd || echo /lib/systemd/systemd)" --system --unit=machine.target \
    --log-target=console --log-level=notice --show-status=false
'
