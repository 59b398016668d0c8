"""Runs local commands: each is a module of `cli.local` that is loaded only when it is called."""

import os
import sys
from typing import NoReturn, Protocol, cast

import typer

from cli.late import load


class LocalCommand(Protocol):
    """What each module of `cli.local` has: `run`, which takes its options of `cli.options` and returns the exit code."""

    def run(self, options: object) -> int:
        """Do it."""
        ...


def run_local(name: str, options: object) -> int:
    """Run `cli.local.<name>` with its options and return the exit code."""
    module = cast("LocalCommand", load(f"cli.local.{name}"))
    return module.run(options)


def run_and_exit(name: str, options: object) -> NoReturn:
    """Run a local command and end with its exit code.

    Raises:
        typer.Exit: Always.
    """
    raise typer.Exit(run_local(name, options))


def run_and_leave(name: str, options: object) -> NoReturn:
    """Run a local command that used the Temporal SDK, and end the process at once: the SDK can crash at interpreter exit.

    `atexit` functions are skipped, so the command has closed its files and pools before it returns.
    """
    code = run_local(name, options)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
