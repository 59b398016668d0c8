"""A port that somebody takes after the stack chose it: everything that was told the port starts again on another one."""

import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from tests.servers.programs import python_argv
from tests.wiring.dev.stacks import API_KEYS, application_url, dev_config, running_stack
from wiring.dev.child import ChildFailedError, PortTakenError
from wiring.dev.config import DevConfig
from wiring.embedded.ports import LOOPBACK
from wiring.embedded.temporal_arguments import temporal_database_file

ALWAYS_TAKEN = """
import os, pathlib, sys
with pathlib.Path(os.environ["STANDFAST_STATE_DIR"], "tries").open("a") as tries: tries.write("x")
sys.exit("[Errno 98] address already in use")
"""


class Thief:
    """Listens on a port of a stack once the stack has chosen its ports and before anything of it runs."""

    def __init__(self, port: int) -> None:
        """Take nothing yet."""
        self._port = port
        self._held: list[socket.socket] = []

    def among(self, config: DevConfig) -> DevConfig:
        """Return a config whose stack calls the thief between choosing and starting."""
        return replace(config, application_url=self._take_and_go_on)

    def _take_and_go_on(self, owner_url: str) -> str:
        if not self._held:
            self._held.append(socket.create_server((LOOPBACK, self._port)))
        return application_url(owner_url)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the port."""
        for each in self._held:
            each.close()


class TestPortTakenAfterItWasChosen:
    async def test_of_temporal_gives_worker_and_gateway_the_other_one(self, tmp_path: Path) -> None:
        config, prepared = dev_config(tmp_path), list[str]()

        async def prepare(owner_url: str) -> Mapping[str, str]:
            prepared.append(owner_url)
            return API_KEYS

        taken = f"{LOOPBACK}:{config.temporal_ports.frontend}"
        with Thief(config.temporal_ports.frontend) as thief:
            async with running_stack(thief.among(replace(config, prepare=prepare))) as stack:
                address, told = stack.on_disk().temporal_address, stack.seen_by_worker()["TEMPORAL_ADDRESS"]

        assert address != taken
        assert told == address
        assert len(prepared) == 1
        assert [line for line in stack.lines if line.startswith("temporal met a port in use")]

    async def test_of_the_web_ui_is_met_too(self, tmp_path: Path) -> None:
        config = dev_config(tmp_path)
        with Thief(config.temporal_ports.ui) as thief:
            async with running_stack(thief.among(config)) as stack:
                url = stack.on_disk().temporal_ui_url

        assert url != f"http://{LOOPBACK}:{config.temporal_ports.ui}"

    async def test_of_the_gateway_moves_the_gateway(self, tmp_path: Path) -> None:
        config = dev_config(tmp_path)
        with Thief(config.gateway_port) as thief:
            async with running_stack(thief.among(config)) as stack:
                url = stack.on_disk().gateway_url

        assert url != f"http://{LOOPBACK}:{config.gateway_port}"
        assert [line for line in stack.lines if line.startswith("gateway met a port in use")]

    async def test_each_time_ends_the_start_with_the_log(self, tmp_path: Path) -> None:
        config = replace(dev_config(tmp_path), gateway_argv=python_argv(ALWAYS_TAKEN))

        with pytest.raises(PortTakenError, match=r"(?s)gateway ended with exit code 1 before it was ready.*address already in use"):
            async with running_stack(config):
                pass

        assert (tmp_path / "tries").read_text(encoding="utf-8") == "xxx"


class TestTemporalThatEnds:
    async def test_is_not_tried_again_for_another_reason_and_its_log_is_quoted(self, tmp_path: Path) -> None:
        database = temporal_database_file(tmp_path)
        database.parent.mkdir(parents=True)
        database.write_text("not a database, and long enough to be taken for one" * 100, encoding="utf-8")

        with pytest.raises(
            ChildFailedError, match=r"(?s)temporal ended with .* before it was ready; the end of .*temporal\.log:\n.*database"
        ) as met:
            async with running_stack(dev_config(tmp_path)):
                pass

        assert not isinstance(met.value, PortTakenError)
