"""What waits for what when a stack starts: worker and gateway load beside the servers and use them once all of them answer."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers.programs import python_argv
from tests.wiring.dev.stacks import API_KEYS, dev_config, recorded, running_stack, until
from wiring.dev.child import ChildFailedError
from wiring.dev.parts import start_file


class TestStartOrder:
    async def test_worker_and_gateway_start_beside_the_servers_and_wait_for_them(self, tmp_path: Path) -> None:
        config = dev_config(tmp_path)
        start_file(config).parent.mkdir()
        start_file(config).touch()  # of a supervisor that was killed

        async def prepare(owner_url: str) -> Mapping[str, str]:
            del owner_url
            await until(lambda: {"worker", "gateway"} <= set(recorded(tmp_path).children), "worker and gateway beside the servers")
            assert not start_file(config).exists()
            return API_KEYS

        async with running_stack(replace(config, prepare=prepare)):
            assert start_file(config).exists()
        assert not start_file(config).exists()

    async def test_a_part_that_ends_while_the_servers_start_ends_the_start(self, tmp_path: Path) -> None:
        async def prepare(owner_url: str) -> Mapping[str, str]:
            del owner_url
            await until(lambda: False, "a worker that ends")
            return API_KEYS

        ends = python_argv("import sys; sys.exit('a library is missing')")
        with pytest.raises(ChildFailedError, match=r"(?s)worker ended with exit code 1 before it was ready.*a library is missing"):
            async with running_stack(replace(dev_config(tmp_path), prepare=prepare, worker_argv=ends)):
                pass
