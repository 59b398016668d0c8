"""Runs and the handle of one, blocking."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from standfast_client.drivers import Driver
from standfast_client.events import Following, RunEvent
from standfast_client.flows import hooks, lineage, proof, runs, sagas
from standfast_client.hooks import SignalSent
from standfast_client.lineage import Comparison, Redriven
from standfast_client.models import JsonInput, Run, Trace
from standfast_client.sagas import RunSagas
from standfast_client.verify import LedgerEntry, Verdict


class RunHandle:
    """A run to wait for, look at, cancel and check.

    Attributes:
        id: The run's id.
    """

    def __init__(self, driver: Driver, run: str) -> None:
        """Ask nothing yet."""
        self._driver = driver
        self.id = run

    def __repr__(self) -> str:
        """Return the class and the id."""
        return f"RunHandle({self.id!r})"

    def read(self) -> Run:
        """Read the run. Raises: ApiError, GatewayUnreachableError, as every method does."""
        return self._driver.run(runs.fetch(self._driver.link, self.id))

    def status(self) -> str:
        """Read the run's status, such as `waiting`."""
        return self.read().status

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run has ended, well or not, and read it.

        Args:
            timeout: Seconds; None waits for ever.

        Raises:
            WaitTimedOutError: It had not ended by then.
        """
        return self._driver.run(runs.wait(self._driver.link, self.id, timeout_s=timeout))

    def result(self, timeout: float | None = None) -> JsonValue:
        """Wait until the run has ended and return its result.

        Args:
            timeout: Seconds; None waits for ever.

        Raises:
            RunFailedError: It ended otherwise than well.
            WaitTimedOutError: It had not ended by then.
        """
        return self._driver.run(runs.result(self._driver.link, self.id, timeout_s=timeout))

    def watch(self, timeout: float | None = None) -> Iterator[Run]:
        """Yield the run now and after each change of its status or of what it waits for; the last one has ended.

        Args:
            timeout: Seconds; None watches until the end.

        Raises:
            WaitTimedOutError: It had not ended by then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        last: Run | None = None
        while last is None or not last.closed:
            last = self._driver.run(runs.changed(self._driver.link, self.id, last, deadline=deadline))
            yield last

    def events(self, *, after: str | None = None, patience: float | None = None) -> Iterator[RunEvent]:
        """Yield what the run does while it does it, from its beginning to its end; a lost connection is taken up where it was lost.

        Args:
            after: The id of an event that was seen before: go on after it.
            patience: Seconds that the gateway may be away; None for a minute.

        Raises:
            GatewayUnreachableError: It was away for longer; the run goes on.
        """
        following = Following(self._driver.link, self.id, after=after, patience_s=patience)
        while not following.ended:
            with contextlib.closing(self._driver.parts(following.request())) as parts:
                for part in parts:
                    yield from following.take(part)
                    if following.ended:
                        break
            self._driver.run(following.again())

    def cancel(self, reason: str = "") -> Run:
        """Ask the run to stop; what it did is undone first, so it may go on for a while."""
        return self._driver.run(runs.cancel(self._driver.link, self.id, reason=reason, idempotency_key=None))

    def compensate(self, reason: str = "", *, idempotency_key: str | None = None) -> Run:
        """Have the run undo what its open sagas did, now; it then ends as failed. One that is past its pivot goes on to its end.

        Args:
            reason: Why; it stands in the ledger.
            idempotency_key: A random key when None.
        """
        return self._driver.run(sagas.compensate(self._driver.link, self.id, reason=reason, idempotency_key=idempotency_key))

    def sagas(self) -> RunSagas:
        """Read the state of each saga of the run and of each of its steps."""
        return self._driver.run(sagas.read(self._driver.link, self.id))

    def redrive(self, reason: str = "", *, idempotency_key: str | None = None) -> Redriven:
        """Let the run go on from the step that failed; what it did stays done, what was undone is done anew.

        Args:
            reason: Why; it stands in the ledger.
            idempotency_key: A random key when None.

        Raises:
            ConflictError: It is open, ended well, or would fail again at once.
        """
        return self._driver.run(lineage.redrive(self._driver.link, self.id, reason=reason, idempotency_key=idempotency_key))

    def fork(
        self,
        at: str,
        *,
        instructions: str | None = None,
        model: str | None = None,
        arguments: Mapping[str, JsonInput] | None = None,
        config: Mapping[str, JsonInput] | None = None,
        allow_effects: bool = False,
        idempotency_key: str | None = None,
    ) -> "RunHandle":
        """Start a new run that goes on at a step of this one, with changes, and return its handle.

        Args:
            at: The step's path, such as `settle.pay`; what came before it is kept.
            instructions: Another prompt for an agent.
            model: Another model for an agent.
            arguments: Arguments of a call, by name.
            config: Values laid over the run's config.
            allow_effects: Do what changes the world, instead of simulating it.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: The run did not come to that step, or a change does not fit it.
            ForbiddenError: You may not allow effects.
        """
        changes: dict[str, JsonInput] = {"instructions": instructions, "model": model, "arguments": arguments, "config": config}
        flow = lineage.fork(self._driver.link, self.id, at, changes, allow_effects=allow_effects, idempotency_key=idempotency_key)
        return RunHandle(self._driver, (self._driver.run(flow)).run)

    def compare(self, other: str) -> Comparison:
        """Compare this run (`a`) with another one (`b`): outcome, tokens, cost, step by step."""
        return self._driver.run(lineage.compare(self._driver.link, self.id, other))

    def signal(self, name: str, payload: JsonInput = None, *, key: str | None = None, idempotency_key: str | None = None) -> SignalSent:
        """Send the run a signal. A step that listens for `name` takes it; one that comes too early is kept for that step.

        Args:
            name: Which signal.
            payload: At most 8 KiB of JSON, the step's output.
            key: What the step's `correlate` must equal; any step of that name when None.
            idempotency_key: The same key means the same signal, which counts once; a random key when None.

        Raises:
            ConflictError: The run has ended.
        """
        flow = hooks.signal(self._driver.link, self.id, name, payload, key=key, idempotency_key=idempotency_key)
        return self._driver.run(flow)

    def trace(self) -> Trace:
        """Read what the run did outside."""
        return self._driver.run(runs.trace(self._driver.link, self.id))

    def ledger(self) -> list[LedgerEntry]:
        """Download all entries of the run's ledger."""
        return self._driver.run(proof.entries(self._driver.link, self.id))

    def verify(self) -> Verdict:
        """Download the run's ledger and check it here."""
        return self._driver.run(proof.verdict(self._driver.link, self.id))


class Runs:
    """Runs of the tenant."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def start(
        self,
        definition: str,
        input: JsonInput = None,  # noqa: A002 - the gateway's own word, and what a reader expects here
        *,
        version: str | None = None,
        config: Mapping[str, JsonInput] | None = None,
        subject: str | None = None,
        idempotency_key: str | None = None,
    ) -> RunHandle:
        """Start a run.

        Args:
            definition: Name of a registered definition.
            input: What its input schema asks for.
            version: An npm-style range, such as `^1`; the highest version when None.
            config: Values instead of the definition's defaults.
            subject: Whose data the run holds, for a later erasure; what the definition says when None.
            idempotency_key: The same key and arguments always mean the same run; a random key when None.
        """
        flow = runs.start(
            self._driver.link, definition, input, version=version, config=config, subject=subject, idempotency_key=idempotency_key
        )
        return RunHandle(self._driver, self._driver.run(flow))

    def get(self, run: str) -> Run:
        """Read a run."""
        return self._driver.run(runs.fetch(self._driver.link, run))

    def handle(self, run: str) -> RunHandle:
        """Return the handle of a run that was started elsewhere; asks nothing."""
        return RunHandle(self._driver, run)

    def list(self, *, status: str | Sequence[str] | None = None, definition: str | None = None, limit: int = 50) -> list[Run]:
        """Read up to `limit` runs, newest first; `status` is one status or several."""
        return self._driver.run(runs.listed(self._driver.link, status=status, definition=definition, limit=limit))
