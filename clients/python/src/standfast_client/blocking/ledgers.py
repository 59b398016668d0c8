"""Ledgers and their check, blocking."""

from collections.abc import Sequence

from standfast_client.drivers import Driver
from standfast_client.flows import log, proof
from standfast_client.proofs import Consistency, Inclusion, PublicKey, TreeHead
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

    def heads(self, *, limit: int = 50) -> list[TreeHead]:
        """Read up to `limit` signed tree heads of your tenant's log, newest first. Keep one: a log that is rewritten later shows."""
        return self._driver.run(log.heads(self._driver.link, limit=limit))

    def head(self, tree_size: int) -> TreeHead:
        """Read the signed head of exactly that many leaves."""
        return self._driver.run(log.head(self._driver.link, tree_size))

    def signing_keys(self) -> list[PublicKey]:
        """Read the public keys of the heads, the oldest first."""
        return self._driver.run(log.keys(self._driver.link))

    def rotate_signing_key(self, *, idempotency_key: str | None = None) -> PublicKey:
        """End the signing key's time now and begin a new key's, which is returned; for admins.

        Raises:
            ForbiddenError: You are none.
        """
        return self._driver.run(log.rotate_key(self._driver.link, idempotency_key=idempotency_key))

    def inclusion(self, run: str, *, tree_size: int | None = None) -> list[Inclusion]:
        """Read the audit paths of a run's sealed entries under the head of `tree_size` leaves, the newest by default."""
        return self._driver.run(log.inclusion(self._driver.link, run, tree_size=tree_size))

    def consistency(self, from_size: int, to_size: int) -> Consistency:
        """Read the proof that the log of `to_size` leaves begins with that of `from_size`."""
        return self._driver.run(log.consistency(self._driver.link, from_size, to_size))

    def bundle(self, run: str | None = None, *, since: Sequence[int] = ()) -> bytes:
        """Download an evidence bundle of a run, or of your tenant's whole ledger: a JSON file for `standfast-verify`.

        Args:
            run: The run; None for the whole ledger, which auditors and admins may have.
            since: Sizes of heads that you remember; the bundle then proves that the log grew out of them.
        """
        return self._driver.run(log.bundle(self._driver.link, run, since=since))
