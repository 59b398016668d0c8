#!/bin/sh
# Starts a Docker daemon of its own for the sandbox tests and prints its address: `export DOCKER_HOST=$(.ci/start-docker.sh)`.
# Needs root, and Debian's docker.io, and runsc for the gVisor tests. The daemon needs no iptables, no bridge and no overlay
# file system, since sandboxes have no network; so it also runs inside a virtual machine or a privileged container.
# The folder given as $1 (default: /tmp/standfast-docker) holds everything; stop it with `kill "$(cat FOLDER/pid)"`.
set -eu

folder=${1:-/tmp/standfast-docker}
socket=$folder/docker.sock
DOCKERD=$(PATH=$PATH:/usr/sbin command -v dockerd) || { echo "dockerd is missing: apt-get install docker.io" >&2; exit 1; }

mkdir -p "$folder"
if [ -s "$folder/pid" ] && kill -0 "$(cat "$folder/pid")" 2>/dev/null; then
    echo "unix://$socket"
    exit 0
fi
rm -f "$folder/pid" "$socket"

# runsc: no network stack, and the ptrace platform, which needs no virtualisation. Debian's build of 2022 cannot handle every
# kernel's cgroups, so it ignores them: memory and process limits are tested with runc.
if command -v runsc >/dev/null; then
    runsc=$(command -v runsc)
    cat >"$folder/daemon.json" <<EOF
{"runtimes": {"runsc": {"path": "$runsc", "runtimeArgs": ["--network=none", "--platform=ptrace", "--ignore-cgroups"]}}}
EOF
else
    echo '{}' >"$folder/daemon.json"
fi

setsid nohup "$DOCKERD" --config-file "$folder/daemon.json" --iptables=false --ip6tables=false --bridge=none \
    --storage-driver=vfs --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" \
    --host "unix://$socket" >"$folder/log" 2>&1 </dev/null &

waited=0
until [ -S "$socket" ] && curl --silent --fail --unix-socket "$socket" http://docker/_ping >/dev/null; do
    waited=$((waited + 1))
    if [ "$waited" -gt 300 ]; then
        echo "dockerd did not answer within 30 s; the end of its log:" >&2
        tail -n 20 "$folder/log" >&2
        exit 1
    fi
    sleep 0.1
done
echo "unix://$socket"
