#!/usr/bin/env bash
# `make install`: syncd in a virtual environment of its own from the pinned packages, the command, the systemd units, the
# users, and a first configuration. Run again it upgrades: what is there of configuration and data is kept.
#
# PREFIX (/usr/local): where it goes. DESTDIR: builds the tree there for a package, and touches nothing else.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
prefix=${PREFIX:-/usr/local} destdir=${DESTDIR:-} python=${PYTHON:-python3}
lib=$prefix/lib/syncd
release= new= # see name
before=$(basename "$(readlink "$destdir$lib/current" || true)") # not always the newest: see README, "go back"

main() {
  check
  name
  build
  if [ -n "$destdir" ]; then
    switch
    put_files
    return
  fi
  [ ! -e "$lib/current" ] || back_up
  switch
  put_files
  set_up
  if [ -n "$before" ] && [ -s "$(store)" ]; then upgrade; else say_next; fi
  forget_old
}

check() {
  if [ -z "$destdir" ] && [ "$(id -u)" != 0 ]; then
    echo "make install writes to $prefix and /etc: run it as root (sudo make install), or give DESTDIR=…" >&2
    exit 1
  fi
  if [ -z "$destdir" ] && ! command -v systemd-sysusers systemd-tmpfiles >/dev/null; then
    echo "there is no systemd here. For a machine without it: make setup, then .venv/bin/syncd serve" >&2
    exit 1
  fi
  if is_at_home "$python" && [ "$python" = python3 ]; then python=/usr/bin/python3; fi
  .ci/python "$python"
  if is_at_home "$python"; then
    echo "'$python' lives in somebody's home, which services may not read. Try: make install PYTHON=/usr/bin/python3" >&2
    exit 1
  fi
}

is_at_home() {
  case $(readlink -f "$(command -v "$1")") in /root/* | /home/*) true ;; *) false ;; esac
}

name() { # by the second: two of one would become one
  while release=$(date -u +%Y%m%dT%H%M%SZ) && new=$destdir$lib/$release && [ -e "$new" ]; do sleep 1; done
}

build() {
  echo "building $lib/$release"
  mkdir -p "$destdir$lib"
  trap 'rm -rf "$new"' EXIT # half of it is of no use
  local site current=$destdir$lib/current
  if [ "$(described)" = "$(cat "$current/made-from" 2>/dev/null)" ]; then
    cp -a "$(readlink -f "$current")" "$new" # the packages are the same
    rm -rf "$new"/lib/python3*/site-packages/syncd
  else
    packages
  fi
  site=$(echo "$new"/lib/python3*/site-packages)
  tar --exclude=__pycache__ -cf - syncd | tar -xf - --no-same-owner -C "$site"
  # some packages hold templates of code, which is none yet
  "$new/bin/python" -m compileall -q -j 0 -s "$destdir" -p / "$site" >/dev/null || true
  "$new/bin/python" -I -m syncd --version
  described >"$new/made-from"
  trap - EXIT
}

described() { # the interpreter and the packages
  "$python" -c 'import sys; print(sys.version, sys.executable)'
  cat .locks/run.txt
}

packages() {
  # pip works from outside: what is installed needs none. Compiled afterwards, on all processors.
  local tools=.venv
  if [ ! -x "$tools/bin/pip" ]; then
    tools=$(mktemp -d)
    "$python" -m venv "$tools"
  fi
  "$python" -m venv --without-pip "$new"
  "$tools/bin/python" -m pip --python "$new/bin/python" install -qq --disable-pip-version-check --no-compile \
    --no-deps --require-hashes -r .locks/run.txt # the lock is complete: see .ci/venv
  "$tools/bin/python" -m pip --python "$new/bin/python" check -q --disable-pip-version-check
  [ "$tools" = .venv ] || rm -rf "$tools"
}

switch() { # what starts from now on is the new one; the old one goes on undisturbed
  ln -sfn "$release" "$destdir$lib/.next"
  mv -T "$destdir$lib/.next" "$destdir$lib/current"
}

put_files() {
  local file
  mkdir -p "$destdir$prefix"/{bin,lib/sysusers.d,lib/tmpfiles.d,lib/systemd/system,share/doc/syncd}
  # -I: nothing is imported from wherever it is called
  printf '#!/bin/sh\nexec %s/current/bin/python -I -m syncd "$@"\n' "$lib" >"$destdir$prefix/bin/.syncd"
  chmod 755 "$destdir$prefix/bin/.syncd"
  mv "$destdir$prefix/bin/.syncd" "$destdir$prefix/bin/syncd"
  for file in systemd/syncd*; do
    sed "s|/usr/local/|$prefix/|g" "$file" >"$destdir$prefix/lib/systemd/system/${file##*/}"
  done
  cp systemd/sysusers.conf "$destdir$prefix/lib/sysusers.d/syncd.conf"
  cp systemd/tmpfiles.conf "$destdir$prefix/lib/tmpfiles.d/syncd.conf"
  cp README.md CHANGELOG.md config/* "$destdir$prefix/share/doc/syncd/"
}

set_up() {
  systemd-sysusers "$prefix/lib/sysusers.d/syncd.conf"
  systemd-tmpfiles --create "$prefix/lib/tmpfiles.d/syncd.conf"
  [ -e /etc/syncd/syncd.toml ] || "$prefix/bin/syncd" --config /etc/syncd/syncd.toml init
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
}

as_syncd() {
  runuser -u syncd -- sh -c 'umask 007; cd /var/lib/syncd; exec "$@"' sh "$@"
}

is_running() {
  [ -d /run/systemd/system ] && systemctl -q is-active syncd-receiver.socket syncd-receiver.service syncd-sync.service
}

store() { # where it is configured to be; the usual place while the configuration is not filled in yet
  as_syncd "$lib/current/bin/python" -I -c 'from syncd.config import load; print(load(None).store.path)' 2>/dev/null ||
    echo /var/lib/syncd/syncd.db
}

back_up() { # by the version that made it; one on its first day has nothing to lose
  [ -s "$(store)" ] || return 0
  as_syncd "$prefix/bin/syncd" backup "/var/lib/syncd/backups/before-$release.db" || {
    rm -rf "$new"
    echo "the store could not be backed up, so nothing is changed" >&2
    exit 1
  }
}

upgrade() { # the socket stays: whoever calls meanwhile waits in its queue
  local were_running=
  if is_running; then
    # also one that is about to be tried again: this may be what mends it
    were_running=$(systemctl show -P Id --state=active,activating,reloading 'syncd-*.service' |
      { grep -v -e backup -e prune || true; } | xargs)
    systemctl stop syncd-prune.service syncd-sync.service syncd-dashboard.service syncd-receiver.service
  fi
  if ! as_syncd "$prefix/bin/syncd" migrate; then
    ln -sfn "$before" "$lib/current"
    # shellcheck disable=SC2086
    [ -z "$were_running" ] || systemctl start --no-block $were_running
    echo "the upgrade failed, and the version from before goes on: $lib/$before" >&2
    exit 1
  fi
  # shellcheck disable=SC2086
  [ -z "$were_running" ] || systemctl start $were_running
  echo "upgraded; running: ${were_running:-nothing, as before. To start: systemctl start syncd.target}"
}

forget_old() { # the one from before stays, to go back to
  find "$lib" -mindepth 1 -maxdepth 1 -type d ! -name "$release" ! -name "$before" -exec rm -rf {} +
  find /var/lib/syncd/backups -maxdepth 1 -name 'before-*.db' | sort | head -n -2 | xargs -r rm -f
}

say_next() {
  cat <<NEXT

Installed. As root:
  1. fill in /etc/syncd/syncd.toml     what is missing is marked; the URL for Sarbacane stands above
  2. syncd check                       says what is still wrong, and what to do
  3. systemctl enable --now syncd.target
  4. syncd status                      is anything coming in, and does it get done?
NEXT
}

main
