"""Runs one service as a process: `--port N --store FILE [--port-file FILE]`, one ready line, a prompt end on SIGTERM."""

import argparse
import os
import signal
import sqlite3
import sys
from pathlib import Path
from types import FrameType

from examples.delay_claim.services.call_store import CallStore
from examples.delay_claim.services.idempotent_http import Desk, Server, Service


def run_service(service: Service, arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C and return the exit code: 0 stopped, 2 the port or the store cannot be used.

    The ready line is `<name> ready at http://127.0.0.1:PORT`; `--port-file` receives the port as a number, complete or not at all.
    Calls that are held or unanswered when it stops are dropped; what was applied is on disk.
    """
    options = _options(service.name, arguments)
    try:
        store = CallStore(options.store, service.name, service.schema)
        server = Server(Desk(service, store), options.port)
    except (ValueError, OSError, OverflowError, sqlite3.Error) as error:
        hint = " (choose another --port, or 0 for a free one)" if isinstance(error, OSError) else ""
        print(f"{service.name}: {error}{hint}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)
    try:
        if options.port_file:
            _write_port(options.port_file, server.server_port)
        print(f"{service.name} ready at {server.url}", flush=True)
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    server.server_close()
    store.close()
    return 0


def _options(name: str, arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name, description=f"The fake {name} service; it listens on 127.0.0.1 only.")
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--store", type=Path, required=True, help="SQLite file of this service; made when missing")
    parser.add_argument("--port-file", type=Path, help="write the port into this file once the service is ready")
    return parser.parse_args(arguments)


def _write_port(path: Path, port: int) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(f"{port}\n", encoding="ascii")
    unfinished.replace(path)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
