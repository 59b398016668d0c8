"""Ledgers and their check, asynchronous."""

from standfast_client.drivers import AsyncDriver
from standfast_client.flows import proof
from standfast_client.verify import LedgerEntry, Verdict


class AsyncLedger:
    """Ledgers of runs."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def entries(self, run: str) -> list[LedgerEntry]:
        """Download all entries of a run's ledger."""
        return await self._driver.run(proof.entries(self._driver.link, run))

    async def verify(self, run: str) -> Verdict:
        """Download a run's ledger and check it here; the gateway is not asked for a verdict."""
        return await self._driver.run(proof.verdict(self._driver.link, run))
