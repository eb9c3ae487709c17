#!/bin/sh
# base.sh TAR: Debian trixie without documentation, locales and package lists.
set -eu
root=$(mktemp -d)
trap 'rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root"
debootstrap --variant=minbase --force-check-gpg trixie "$root" >&2
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'SLIM'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
SLIM
tar --create --file "$1" --directory "$root" --numeric-owner --xattrs \
    --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/log/*' \
    --exclude='./usr/share/doc/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/man/*' \
    --exclude=./etc/resolv.conf --exclude=./etc/hostname --exclude='./dev/*' .
