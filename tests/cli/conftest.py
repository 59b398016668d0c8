"""A command line beside a listening gateway, one per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.clients.live_gateway import live_gateway


@pytest.fixture(name="standfast")
def _standfast(tmp_path: Path) -> Iterator[CommandLine]:
    with live_gateway() as live:
        yield CommandLine(live, live.write_dev_file(tmp_path / "state"))
