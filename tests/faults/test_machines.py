"""The state machines of S16: each passes on the product as it is, and each planted bug is caught by its machine."""

from collections.abc import Iterator

import pytest

from tests.adapters.postgres.databases import Servers, new_database, servers
from tests.faults.machines.play import MACHINES, play
from tests.faults.machines.rig import Rig, open_rig
from tests.faults.planted.registry import PLANTS

__all__ = ["servers"]

SEED = 20_130_101
EXAMPLES = 15
EXAMPLES_TO_CATCH = 150
"""Enough for the rarest planted bug at this seed; most are caught within ten."""


@pytest.fixture(scope="module")
def rig(servers: Servers) -> Iterator[Rig]:
    """A database as it is."""
    with open_rig(new_database(servers.get("embedded 18").owner_url)) as opened:
        yield opened


@pytest.mark.parametrize("name", MACHINES)
def test_machine_agrees_with_its_model(name: str, rig: Rig) -> None:
    wrong, _ = play(name, rig, examples=EXAMPLES, at=SEED)
    assert wrong is None, wrong


@pytest.mark.parametrize("name", [name for name, plant in PLANTS.items() if plant.machine])
def test_planted_bug_is_caught(name: str, servers: Servers) -> None:
    with open_rig(new_database(servers.get("embedded 18").owner_url), plant=name) as planted:
        wrong, _ = play(PLANTS[name].machine, planted, examples=EXAMPLES_TO_CATCH, at=SEED, shrink=False)
    assert wrong is not None
