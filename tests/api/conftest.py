"""One gateway per test."""

import pytest

from tests.api.gateway import Gateway, gateway


@pytest.fixture(name="house")
def _house() -> Gateway:
    return gateway()
