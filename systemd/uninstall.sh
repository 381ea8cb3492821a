#!/usr/bin/env bash
# `make uninstall`: removes what `make install` put there; configuration, secrets and data stay.
set -euo pipefail
prefix=${PREFIX:-/usr/local} destdir=${DESTDIR:-}

if [ -z "$destdir" ] && [ "$(id -u)" != 0 ]; then
  echo "make uninstall removes from $prefix: run it as root (sudo make uninstall)" >&2
  exit 1
fi
if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
  systemctl disable -q --now syncd.target syncd-receiver.socket syncd-receiver.service syncd-sync.service \
    syncd-dashboard.service syncd-backup.timer syncd-prune.timer 2>/dev/null || true
fi
rm -rf "${destdir}${prefix:?}/lib/syncd" "$destdir$prefix/share/doc/syncd"
rm -f "$destdir$prefix/bin/syncd" "$destdir$prefix"/lib/systemd/system/syncd{.target,-*} \
  "$destdir$prefix"/lib/{sysusers,tmpfiles}.d/syncd.conf
[ -n "$destdir" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload
cat <<LEFT
Removed. Kept, for you to delete if you mean it:
  /etc/syncd       configuration and secrets
  /var/lib/syncd   the store and its backups
  the users syncd, syncd-receiver and syncd-dashboard
LEFT
