"""Small stand-in programs for tests: an executable script that answers `--version`, and stand-in parts of the stack."""

import stat
import sys
from pathlib import Path

GATEWAY = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ready")
    def log_message(self, *arguments): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["STANDFAST_GATEWAY_PORT"])), Handler).serve_forever()
"""
"""A gateway that is ready at once."""

WORKER = """
import json, os, pathlib, signal, sys
names = ("TEMPORAL_ADDRESS", "DATABASE_URL", "STANDFAST_DATABASE_OWNER_URL", "STANDFAST_STATE_DIR", "EXTRA")
pathlib.Path(os.environ["STANDFAST_STATE_DIR"], "seen.json").write_text(json.dumps({n: os.environ.get(n) for n in names}))
pathlib.Path(os.environ["STANDFAST_READY_FILE"]).touch()
while True: signal.pause()
"""
"""A worker that writes down its settings, makes its ready file and waits."""


def python_argv(code: str) -> tuple[str, ...]:
    """Return the command line that runs the code."""
    return (sys.executable, "-I", "-S", "-c", code)


def write_program(folder: Path, name: str, says: str) -> Path:
    """Make an executable that prints a text whatever it is asked, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
