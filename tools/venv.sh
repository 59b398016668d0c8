#!/usr/bin/env bash
# Makes or refreshes .venv from requirements-dev.lock, saying every few seconds what it is doing. Called by `make`; run it from
# the repository's root. With uv on PATH it uses that, else it installs uv into .venv.
set -euo pipefail

venv=.venv
uv_requirement="uv>=0.9"
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=1 PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf 'standfast: %s\n' "$*" >&2; }

# Runs a command and prints a line every 4 seconds while it works.
step() {
  local what=$1 started=$SECONDS worker
  shift
  say "$what"
  "$@" </dev/null &
  worker=$!
  ( while sleep 4; kill -0 "$worker" 2>/dev/null; do say "  … $what ($((SECONDS - started)) s)"; done ) &
  local ticker=$! status=0
  wait "$worker" || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  return "$status"
}

# Version managers put shims on PATH that exist and do not run: only a Python that really runs counts.
find_python() {
  local name path
  for name in python3.13 python3.12 python3.11 python3 python; do
    path=$(command -v "$name" 2>/dev/null) || continue
    if "$path" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; then
      printf '%s\n' "$path"
      return 0
    fi
  done
  say "no Python 3.11, 3.12 or 3.13 on PATH runs. Install one (Debian: apt-get install python3 python3-venv), then run make again."
  return 1
}

make_venv() {
  local python
  python=$(find_python)
  if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    step "making $venv with $("$python" --version)" "$python" -m venv "$venv"
  elif command -v uv >/dev/null 2>&1; then
    step "making $venv with $("$python" --version) and uv" uv venv --quiet --python "$python" "$venv"
  else
    say "$python has no venv module and there is no uv. Install one (Debian: apt-get install python3-venv), then run make again."
    return 1
  fi
}

"$venv/bin/python" -c '' >/dev/null 2>&1 || { rm -rf "$venv"; make_venv; }
if uv=$(command -v uv 2>/dev/null) && "$uv" --version >/dev/null 2>&1; then :; else
  uv=$venv/bin/uv
  [ -x "$uv" ] || step "installing uv into $venv" "$venv/bin/python" -m pip install --quiet "$uv_requirement"
fi
step "installing the locked packages (hashes are checked)" \
  "$uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes -r requirements-dev.lock
step "installing Standfast, its client and its verifier in place" \
  "$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e . -e clients/python -e clients/verify
say "$venv is ready"
