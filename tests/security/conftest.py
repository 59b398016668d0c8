"""What lies outside of the sandboxes that are probed."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.security.probes.outside import outside


@pytest.fixture
async def told() -> AsyncGenerator[dict[str, str]]:
    """What lies outside, and a file that a program may want to remove."""
    async with outside() as lies:
        spare = Path(lies["scratch"]).with_name("spare.txt")
        spare.touch(mode=0o666)
        yield lies | {"spare_path": str(spare)}
