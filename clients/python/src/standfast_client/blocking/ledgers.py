"""Ledgers and their check, blocking."""

from standfast_client.drivers import Driver
from standfast_client.flows import proof
from standfast_client.verify import LedgerEntry, Verdict


class Ledger:
    """Ledgers of runs."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def entries(self, run: str) -> list[LedgerEntry]:
        """Download all entries of a run's ledger."""
        return self._driver.run(proof.entries(self._driver.link, run))

    def verify(self, run: str) -> Verdict:
        """Download a run's ledger and check it here; the gateway is not asked for a verdict."""
        return self._driver.run(proof.verdict(self._driver.link, run))
