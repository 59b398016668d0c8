"""What people answer, asynchronous: approvals and tasks."""

from collections.abc import Sequence

from standfast_client.drivers import AsyncDriver
from standfast_client.flows import decisions, work
from standfast_client.models import Approval, BatchAnswer, Decision, JsonInput, Task
from standfast_client.reviewing import ApprovalDetail


class AsyncApprovals:
    """The inbox."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def list(
        self,
        *,
        state: str | None = "open",
        mine: bool = False,
        role: str | None = None,
        definition: str | None = None,
        run: str | None = None,
        tool: str | None = None,
        assignee: str | None = None,
        requester: str | None = None,
        decided_by: str | None = None,
        deadline_before: str | None = None,
        order: str = "deadline",
        limit: int = 50,
    ) -> list[Approval]:
        """Read up to `limit` approvals that fit every filter given.

        Args:
            state: `open`, `approved`, `rejected`, `timed_out` or `withdrawn`; None means all.
            mine: Only what you may decide now, in your own place or as a substitute.
            role: A reviewer role that is asked.
            definition: A definition's name.
            run: A run's id.
            tool: A tool that a bound call uses.
            assignee: A principal, or `me`.
            requester: A principal, or `me`.
            decided_by: A principal who decided, or `me`.
            deadline_before: RFC 3339.
            order: `deadline`, earliest first, or `opened`, latest first.
            limit: The most to read.
        """
        filters = {
            "role": role,
            "definition": definition,
            "run": run,
            "tool": tool,
            "assignee": assignee,
            "requester": requester,
            "decided_by": decided_by,
            "deadline_before": deadline_before,
        }
        flow = decisions.approvals(self._driver.link, state=state, mine=mine, order=order, limit=limit, **filters)
        return await self._driver.run(flow)

    async def get(self, approval: str) -> ApprovalDetail:
        """Read an approval with what is behind it."""
        return await self._driver.run(decisions.approval(self._driver.link, approval))

    async def assign(
        self, approval: Approval | str, assignee: str | None = "me", *, take_over: bool = False, idempotency_key: str | None = None
    ) -> Approval:
        """Claim an approval, assign it to a principal, or release it with None: a hint to colleagues that gives no authority.

        Raises:
            ConflictError: Somebody else has it, and `take_over` is not set; or it is closed.
        """
        flow = decisions.assign(self._driver.link, approval, assignee, take_over=take_over, idempotency_key=idempotency_key)
        return await self._driver.run(flow)

    async def approve(
        self,
        approval: Approval | str,
        *,
        comment: str = "",
        form: JsonInput = None,
        digest: str | None = None,
        idempotency_key: str | None = None,
    ) -> Decision:
        """Say yes to exactly the calls of an approval.

        Args:
            approval: The approval you read, or its id: then it is read now and its digest of now is named.
            comment: Why; kept with the decision.
            form: The answer to the approval's form, if it has one.
            digest: What you mean to approve, when it is not the digest of `approval`.
            idempotency_key: A random key when None.

        Raises:
            ConflictError: It is closed already.
            ForbiddenError: You lack the reviewer role, or asked for it yourself.
            InvalidInputError: The digest is no longer the approval's.
        """
        flow = decisions.decide(
            self._driver.link, approval, "approve", comment=comment, digest=digest, idempotency_key=idempotency_key, content={"form": form}
        )
        return await self._driver.run(flow)

    async def reject(
        self, approval: Approval | str, *, comment: str = "", digest: str | None = None, idempotency_key: str | None = None
    ) -> Decision:
        """Say no; arguments and errors are those of `approve`."""
        flow = decisions.decide(self._driver.link, approval, "reject", comment=comment, digest=digest, idempotency_key=idempotency_key)
        return await self._driver.run(flow)

    async def say(
        self,
        approval: Approval | str,
        verdict: str,
        *,
        comment: str = "",
        content: dict[str, JsonInput] | None = None,
        digest: str | None = None,
        idempotency_key: str | None = None,
    ) -> Decision:
        """Say something else to an approval.

        Args:
            approval: As in `approve`.
            verdict: `amend` with `arguments` by step and name, `request_info` and `give_info` with a comment, `extend` with a `deadline`,
                `delegate` with `to`, `starts` and `ends`, or `withdraw`.
            comment: Why, the question, or the answer.
            content: What the verdict needs.
            digest: As in `approve`.
            idempotency_key: A random key when None.

        Raises:
            ConflictError: It is closed, or said already.
            ForbiddenError: That is somebody else's to say.
            InvalidInputError: What it needs is missing or wrong.
        """
        flow = decisions.decide(
            self._driver.link, approval, verdict, comment=comment, digest=digest, idempotency_key=idempotency_key, content=content
        )
        return await self._driver.run(flow)

    async def decide_many(
        self, choices: Sequence[tuple[Approval, str]], *, comment: str = "", idempotency_key: str | None = None
    ) -> Sequence[BatchAnswer]:
        """Decide up to 100 approvals that you read, each with the verdict beside it; each is answered by itself, in their order."""
        flow = decisions.decide_many(self._driver.link, choices, comment=comment, idempotency_key=idempotency_key)
        return await self._driver.run(flow)


class AsyncTasks:
    """Work for people, and questions about effects whose outcome is unknown or wrong."""

    def __init__(self, driver: AsyncDriver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    async def list(
        self,
        *,
        state: str | None = "open",
        kind: str | None = None,
        run: str | None = None,
        role: str | None = None,
        assignee: str | None = None,
        mine: bool = False,
        overdue: bool = False,
        order: str = "opened",
        limit: int = 50,
    ) -> list[Task]:
        """Read up to `limit` tasks.

        Args:
            state: `open`, `completed` or `closed_late`; None means all.
            kind: `human`, `in_doubt`, `divergent` or `failed_compensation`.
            run: A run's id.
            role: The reviewer role they are for.
            assignee: The principal they are given to.
            mine: Yours, and those of nobody in particular for a reviewer role of yours.
            overdue: Only those whose due instant has passed.
            order: `opened`, oldest first, or `due`, earliest first.
            limit: The most to read.
        """
        filters = {"state": state, "kind": kind, "run": run, "role": role, "assignee": assignee}
        flow = work.tasks(self._driver.link, mine=mine, overdue=overdue, order=order, limit=limit, **filters)
        return await self._driver.run(flow)

    async def get(self, task: str) -> Task:
        """Read a task, with what was filled in."""
        return await self._driver.run(work.task(self._driver.link, task))

    async def make(
        self,
        title: str,
        *,
        instructions: str = "",
        run: str | None = None,
        role: str | None = None,
        principal: str | None = None,
        priority: str = "normal",
        form: dict[str, JsonInput] | None = None,
        due: str | None = None,
        escalate: Sequence[tuple[str, str]] = (),
        idempotency_key: str | None = None,
    ) -> Task:
        """Make a task, of no run or about one.

        Args:
            title: What it is about, in a few words.
            instructions: What to do.
            run: The run it is about; its ledger tells of the task.
            role: The reviewer role it is for, or
            principal: the person.
            priority: `low`, `normal`, `high` or `urgent`.
            form: The JSON Schema of the answer.
            due: After how long it is overdue, such as `24h`.
            escalate: Pairs of a duration and the role that has the task from then on.
            idempotency_key: A random key when None.

        Raises:
            InvalidInputError: The form is no usable schema, or a duration is none.
            NotFoundError: There is no such run.
        """
        said = {"instructions": instructions, "run": run, "priority": priority, "form": form, "due": due}
        flow = work.make(self._driver.link, title, role, principal, escalate, idempotency_key=idempotency_key, **said)
        return await self._driver.run(flow)

    async def assign(self, task: str, to: str | None = "me", *, role: str | None = None, idempotency_key: str | None = None) -> Task:
        """Take a task, give it to a principal or, with `role`, to a reviewer role; release it with None.

        Raises:
            ConflictError: It is answered, or somebody else took it meanwhile.
            ForbiddenError: It is not for you.
        """
        return await self._driver.run(work.assign(self._driver.link, task, to, role=role, idempotency_key=idempotency_key))

    async def escalate(self, task: str, *, role: str | None = None, idempotency_key: str | None = None) -> Task:
        """Hand a task on, to a role or to the next of its ladder.

        Raises:
            ConflictError: It is answered.
            InvalidInputError: No role is named, and its ladder has no further one.
        """
        return await self._driver.run(work.escalate(self._driver.link, task, role=role, idempotency_key=idempotency_key))

    async def complete(
        self, task: str, resolution: str = "completed", *, output: JsonInput = None, idempotency_key: str | None = None
    ) -> Task:
        """Answer a task.

        Args:
            task: Its id.
            resolution: `completed` for work; `happened`, `did_not_happen` or `give_up` for a question about an effect.
            output: What the form asks for, or what the effect gave back when it happened.
            idempotency_key: A random key when None.

        Raises:
            ConflictError: It is answered already.
            ForbiddenError: It is somebody else's.
            InvalidInputError: It does not fit the form; `errors` say where.
        """
        return await self._driver.run(work.complete(self._driver.link, task, resolution, output=output, idempotency_key=idempotency_key))
