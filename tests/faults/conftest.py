"""One live stack for the fault tests of a process, with bank and mail as processes that are never killed (PROOF H1).

Planted bugs of workflow code take the fixtures of the workflow tests.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.examples.running_service import ServiceProcess
from tests.faults.payout import Payouts
from tests.servers.stack import live_stack
from tests.workflows.fixtures import bench, database, migrated, temporal

__all__ = ["bench", "database", "migrated", "temporal"]


@pytest.fixture(scope="session")
def fault_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that names where the worker ends itself."""
    return tmp_path_factory.mktemp("faults") / "points"


@pytest.fixture(scope="session")
def payouts(tmp_path_factory: pytest.TempPathFactory, fault_file: Path) -> Generator[Payouts]:
    """The stack, the services, and the registered definition."""
    folder = tmp_path_factory.mktemp("stack")
    bank, mail = ServiceProcess("bank", folder / "bank.sqlite"), ServiceProcess("mail", folder / "mail.sqlite")
    try:
        with live_stack(folder / "state", environment={"STANDFAST_FAULT_FILE": str(fault_file)}) as stack:
            made = Payouts(stack, bank.caller, mail.caller)
            made.register()
            yield made
    finally:
        bank.stop()
        mail.stop()


@pytest.fixture(autouse=True)
def no_faults(request: pytest.FixtureRequest) -> Generator[None]:
    """Disarm the services after each test."""
    yield
    if "payouts" in request.fixturenames:
        payouts: Payouts = request.getfixturevalue("payouts")
        payouts.bank.disarm()
        payouts.mail.disarm()
