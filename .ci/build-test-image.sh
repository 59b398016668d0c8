#!/bin/sh
# Builds the images of the sandbox tests, standfast-test:busybox and standfast-test:python, from Debian's busybox-static and python3:
# nothing is pulled.
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

# The same with a Python for the escape probes: the interpreter, the libraries it is linked with, and what of its modules they use.
PYTHON=$(readlink -f /usr/bin/python3) || { echo "/usr/bin/python3 is missing: apt-get install python3" >&2; exit 1; }
version=$(basename "$PYTHON")
modules=/usr/lib/$version
mkdir -p "$root/usr/bin" "$root$modules"
cp "$PYTHON" "$root/usr/bin/python3"
(cd "$modules" && cp -r ./*.py collections ctypes encodings importlib json re urllib lib-dynload "$root$modules/")
for library in $(ldd "$PYTHON" "$modules"/lib-dynload/_ctypes.*.so | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
    [ -e "$library" ] || continue
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done
tar --directory "$root" --create --numeric-owner --owner=0 --group=0 . | docker import - standfast-test:python
