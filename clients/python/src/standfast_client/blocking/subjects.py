"""Erasure and retention, blocking."""

from standfast_client.drivers import Driver
from standfast_client.flows import subjects
from standfast_client.removals import LegalHold, Removal, RemovalPlan, Retention


class Erasures:
    """Erasures of data subjects; an administrator's."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def plan(self, subject: str) -> RemovalPlan:
        """Read what erasing a data subject would take; changes nothing.

        Args:
            subject: The name its runs were started with, a pseudonym, or a run that is its own data subject.

        Raises:
            NotFoundError: It has no run with content.
        """
        return self._driver.run(subjects.plan(self._driver.link, subject))

    def erase(self, subject: str, *, anonymise: bool = False, idempotency_key: str | None = None) -> Removal:
        """Destroy the data subject's key and remove the content of its runs, for good.

        Args:
            subject: As in `plan`.
            anonymise: Replace the pseudonym too, by one that nobody can derive.
            idempotency_key: A random key when None.

        Raises:
            ConflictError: A run is open, or a legal hold covers one.
            NotFoundError: It has no run with content.
        """
        mode = "anonymise" if anonymise else "erase"
        return self._driver.run(subjects.erase(self._driver.link, subject, mode=mode, idempotency_key=idempotency_key))

    def get(self, erasure: str) -> Removal:
        """Read one removal with its certificate."""
        return self._driver.run(subjects.erasure(self._driver.link, erasure))

    def list(self, *, limit: int = 50) -> list[Removal]:
        """Read up to `limit` erasures and purges, oldest first."""
        return self._driver.run(subjects.erasures(self._driver.link, limit=limit))


class Retentions:
    """How long content is kept, and what may not go; an administrator's."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def get(self) -> Retention:
        """Read the rules and the legal holds that stand."""
        return self._driver.run(subjects.retention(self._driver.link))

    def set_rule(self, definition: str | None, keep_days: int | None, *, idempotency_key: str | None = None) -> Retention:
        """Say how many days closed runs keep their content.

        Args:
            definition: Of which definition; None: of every one without a rule of its own.
            keep_days: 1 to 36,500; None removes the rule, and content is kept for ever.
            idempotency_key: A random key when None.
        """
        return self._driver.run(subjects.set_rule(self._driver.link, definition, keep_days, idempotency_key=idempotency_key))

    def purge_plan(self, run: str | None = None) -> RemovalPlan:
        """Read what a purge would take now; changes nothing."""
        return self._driver.run(subjects.purge_plan(self._driver.link, run))

    def purge(self, run: str | None = None, *, idempotency_key: str | None = None) -> Removal | None:
        """Remove the content of runs whose term is over, or of one run; None when nothing is.

        Raises:
            ConflictError: The one run is inside its term, or a legal hold covers it.
        """
        return self._driver.run(subjects.purge(self._driver.link, run, idempotency_key=idempotency_key))

    def hold(self, scope: str, name: str = "", *, reason: str, idempotency_key: str | None = None) -> LegalHold:
        """Place a legal hold.

        Args:
            scope: `run`, `subject`, `definition` or `tenant`.
            name: Which one; empty for the tenant.
            reason: Why.
            idempotency_key: A random key when None.
        """
        return self._driver.run(subjects.hold(self._driver.link, scope, name, reason=reason, idempotency_key=idempotency_key))

    def release(self, hold: str, *, idempotency_key: str | None = None) -> LegalHold:
        """Release a legal hold."""
        return self._driver.run(subjects.release(self._driver.link, hold, idempotency_key=idempotency_key))
