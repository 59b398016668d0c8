#!/bin/sh
# Builds the image of the sandbox tests, standfast-test:busybox, from Debian's busybox-static: nothing is pulled.
# Speaks to the daemon of DOCKER_HOST.
set -eu

BUSYBOX=$(command -v busybox) || { echo "busybox is missing: apt-get install busybox-static" >&2; exit 1; }
if ldd "$BUSYBOX" >/dev/null 2>&1; then
    echo "$BUSYBOX is not static: apt-get install busybox-static" >&2
    exit 1
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/work"
chmod 755 "$root"
chmod 1777 "$root/tmp"
cp "$BUSYBOX" "$root/bin/busybox"
for applet in $("$BUSYBOX" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
tar --directory "$root" --create --numeric-owner --owner=0 --group=0 . | docker import - standfast-test:busybox
