"""Ports of stacks that start at the same time."""

import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.wiring.dev.stacks import dev_config
from wiring.dev.parts import choose_ports
from wiring.embedded.port_claims import PortClaims
from wiring.embedded.ports import LOOPBACK, free_ports

HOLDS = """\
import sys
from pathlib import Path
from wiring.embedded.port_claims import PortClaims
claims = PortClaims(Path(sys.argv[1]))
print(claims.choose(int(sys.argv[2])), flush=True)
sys.stdin.read()
"""

Claim = Callable[[], PortClaims]


@pytest.fixture
def claim(tmp_path: Path) -> Generator[Claim]:
    """Makes claims on one folder, and gives them back after the test."""
    made: list[PortClaims] = []

    def make() -> PortClaims:
        made.append(PortClaims(tmp_path / "ports"))
        return made[-1]

    yield make
    for claims in made:
        claims.release()
    assert list((tmp_path / "ports").glob("*")) == []


class TestTwoStacksThatStartTogether:
    def test_choose_different_ports_though_nobody_listens_yet(self, tmp_path: Path, claim: Claim) -> None:
        config = dev_config(tmp_path / "state")
        first, second = (choose_ports(config, claims) for claims in (claim(), claim()))
        assert (first.gateway, first.temporal) == (config.gateway_port, config.temporal_ports)
        both = [*vars(first.temporal).values(), *vars(second.temporal).values(), first.gateway, second.gateway]
        assert len(set(both)) == 8

    def test_give_their_ports_back(self, claim: Claim) -> None:
        (port,) = free_ports(1)
        first = claim()
        assert first.choose(port) == port
        assert first.choose(port) != port
        first.release()
        assert claim().choose(port) == port

    def test_lose_their_claims_when_they_are_killed(self, tmp_path: Path, claim: Claim) -> None:
        (port,) = free_ports(1)
        argv = [sys.executable, "-c", HOLDS, str(tmp_path / "ports"), str(port)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout
            assert int(other.stdout.readline()) == port
            assert claim().choose(port) != port
            other.kill()
        assert claim().choose(port) == port


class TestPortInUse:
    def test_is_never_claimed(self, claim: Claim) -> None:
        with socket.create_server((LOOPBACK, 0)) as server:
            assert claim().choose(server.getsockname()[1]) != server.getsockname()[1]

    def test_is_all_that_counts_where_no_lock_file_can_be_made(self, tmp_path: Path) -> None:
        (port,) = free_ports(1)
        (tmp_path / "file").touch()
        assert PortClaims(tmp_path / "file").choose(port) == port
