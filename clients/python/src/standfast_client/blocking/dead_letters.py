"""Dead letters, blocking."""

from standfast_client.dead_letters import BulkRedrive, DeadLetter
from standfast_client.drivers import Driver
from standfast_client.flows import dead_letters


class DeadLetters:
    """What was given up: runs, effects, deliveries, schedules, inbound webhooks."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def list(
        self,
        *,
        state: str = "open",
        kind: str | None = None,
        cause: str | None = None,
        definition: str | None = None,
        run: str | None = None,
        since: str | None = None,
        limit: int = 50,
    ) -> list[DeadLetter]:
        """Read up to `limit` dead letters, newest last attempt first.

        Args:
            state: `open`, `redriven`, `discarded` or `any`.
            kind: `run`, `effect`, `delivery`, `schedule` or `hook`.
            cause: A code, such as `tool-failed`.
            definition: A definition's name.
            run: A run's id.
            since: RFC 3339: no earlier last attempt.
            limit: The most to read.
        """
        filters = {"kind": kind, "cause": cause, "definition": definition, "run": run, "since": since}
        return self._driver.run(dead_letters.dead_letters(self._driver.link, state=state, limit=limit, **filters))

    def get(self, dead_letter: str) -> DeadLetter:
        """Read a dead letter."""
        return self._driver.run(dead_letters.dead_letter(self._driver.link, dead_letter))

    def redrive(self, dead_letter: str, *, reason: str = "", idempotency_key: str | None = None) -> DeadLetter:
        """Try again what was given up.

        Raises:
            ConflictError: It was redriven or discarded, is being redriven, or what it is about cannot be.
        """
        flow = dead_letters.redrive(self._driver.link, dead_letter, reason=reason, idempotency_key=idempotency_key)
        return self._driver.run(flow)

    def redrive_many(
        self,
        *,
        everything: bool = False,
        kind: str | None = None,
        cause: str | None = None,
        definition: str | None = None,
        since: str | None = None,
        rate: float = 1.0,
        reason: str = "",
        idempotency_key: str | None = None,
    ) -> BulkRedrive:
        """Redrive in the background what is open now and fits, `rate` a second; name a filter, or say `everything`."""
        flow = dead_letters.redrive_many(
            self._driver.link,
            everything=everything,
            rate=rate,
            reason=reason,
            idempotency_key=idempotency_key,
            kind=kind,
            cause=cause,
            definition=definition,
            since=since,
        )
        return self._driver.run(flow)

    def redrive_state(self, redrive: str) -> BulkRedrive:
        """Read how far a redrive of many is."""
        return self._driver.run(dead_letters.bulk_redrive(self._driver.link, redrive))

    def discard(self, dead_letter: str, *, reason: str, idempotency_key: str | None = None) -> DeadLetter:
        """Close a dead letter for good; the reason is kept.

        Raises:
            ConflictError: It was redriven or discarded before.
        """
        flow = dead_letters.discard(self._driver.link, dead_letter, reason=reason, idempotency_key=idempotency_key)
        return self._driver.run(flow)
