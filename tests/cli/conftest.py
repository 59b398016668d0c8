"""One listening gateway per test."""

from collections.abc import Iterator

import pytest

from tests.clients.live_gateway import LiveGateway, live_gateway


@pytest.fixture(name="live")
def _live() -> Iterator[LiveGateway]:
    with live_gateway() as live:
        yield live
