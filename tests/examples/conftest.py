"""Fixtures of the example tests: a bank and a mail service, each on a free port with a store of its own."""

from collections.abc import Generator
from pathlib import Path

import pytest

from examples.delay_claim.services.bank import BANK
from examples.delay_claim.services.mail import MAIL
from tests.examples.running_service import Caller, ServiceProcess, StartService, serving


@pytest.fixture
def bank(tmp_path: Path) -> Generator[Caller]:
    """A bank on a thread of this process."""
    with serving(BANK, tmp_path / "bank.sqlite") as caller:
        yield caller


@pytest.fixture
def mail(tmp_path: Path) -> Generator[Caller]:
    """A mail service on a thread of this process."""
    with serving(MAIL, tmp_path / "mail.sqlite") as caller:
        yield caller


@pytest.fixture
def start() -> Generator[StartService]:
    """Starts services as processes and kills those that a failed test leaves behind."""
    started: list[ServiceProcess] = []

    def start_service(name: str, store: Path) -> ServiceProcess:
        started.append(ServiceProcess(name, store))
        return started[-1]

    yield start_service
    for service in started:
        if service.process.poll() is None:
            service.kill()
