"""What people answer, blocking: approvals and tasks."""

from standfast_client.drivers import Driver
from standfast_client.flows import decisions
from standfast_client.models import Approval, Decision, JsonInput, Task


class Approvals:
    """The inbox."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def list(self, *, state: str | None = "open", mine: bool = False, limit: int = 50) -> list[Approval]:
        """Read up to `limit` approvals, earliest deadline first; `state` None means all, `mine` those your reviewer roles may decide."""
        return self._driver.run(decisions.approvals(self._driver.link, state=state, mine=mine, limit=limit))

    def get(self, approval: str) -> Approval:
        """Read an approval."""
        return self._driver.run(decisions.approval(self._driver.link, approval))

    def approve(
        self, approval: Approval | str, *, comment: str = "", digest: str | None = None, idempotency_key: str | None = None
    ) -> Decision:
        """Say yes to exactly the calls of an approval.

        Args:
            approval: The approval you read, or its id: then it is read now and its digest of now is named.
            comment: Why; kept with the decision.
            digest: What you mean to approve, when it is not the digest of `approval`.
            idempotency_key: A random key when None.

        Raises:
            ConflictError: It is closed already.
            ForbiddenError: You lack the reviewer role, or asked for it yourself.
            InvalidInputError: The digest is no longer the approval's.
        """
        flow = decisions.decide(self._driver.link, approval, "approve", comment=comment, digest=digest, idempotency_key=idempotency_key)
        return self._driver.run(flow)

    def reject(
        self, approval: Approval | str, *, comment: str = "", digest: str | None = None, idempotency_key: str | None = None
    ) -> Decision:
        """Say no; arguments and errors are those of `approve`."""
        flow = decisions.decide(self._driver.link, approval, "reject", comment=comment, digest=digest, idempotency_key=idempotency_key)
        return self._driver.run(flow)


class Tasks:
    """Questions to people about effects whose outcome is unknown or wrong."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def list(self, *, state: str | None = "open", limit: int = 50) -> list[Task]:
        """Read up to `limit` tasks, oldest first; `state` None means all."""
        return self._driver.run(decisions.tasks(self._driver.link, state=state, limit=limit))

    def get(self, task: str) -> Task:
        """Read a task."""
        return self._driver.run(decisions.task(self._driver.link, task))

    def complete(self, task: str, resolution: str, *, output: JsonInput = None, idempotency_key: str | None = None) -> Task:
        """Answer a task.

        Args:
            task: Its id.
            resolution: `happened`, `did_not_happen` or `give_up`.
            output: What the effect gave back, when it happened.
            idempotency_key: A random key when None.

        Raises:
            ConflictError: It is answered already.
        """
        flow = decisions.complete(self._driver.link, task, resolution, output=output, idempotency_key=idempotency_key)
        return self._driver.run(flow)
