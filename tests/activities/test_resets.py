"""An execution that the run's row does not follow: a reset goes on in the next epoch, an older one does nothing any more (JOURNAL §2.3)."""

from temporalio.exceptions import ApplicationError

from activities.resets import Execution, ResetWatch
from domain.errors import Unavailable
from domain.resets import ResetPoint
from tests.activities.bench import AT, RUN, TENANT, Attempts, details, envelope, fact, paying, refused
from tests.fake_run import FakeRun


class FakeResets:
    """A ResetStore over one run in memory."""

    def __init__(self) -> None:
        self.run = FakeRun(TENANT, RUN)
        self.adopted: list[str] = []

    async def point(self, tenant: str, run: str, *, temporal_run_id: str) -> ResetPoint | None:
        """Return where the run stands for the execution it follows."""
        del tenant, run
        return self._point() if self.run.temporal_run_id == temporal_run_id else None

    async def adopt(self, tenant: str, run: str, *, temporal_run_id: str, at: str) -> ResetPoint:
        """Follow this execution."""
        del tenant, run, at
        self.adopted.append(temporal_run_id)
        self.run.temporal_run_id, self.run.epoch = temporal_run_id, (self.run.epoch or 0) + 1
        return self._point()

    def _point(self) -> ResetPoint:
        return ResetPoint(epoch=self.run.epoch or 0, fact_head=self.run.fact_head)


class World:
    """Attempts of two executions of one run; `current` is what Temporal says."""

    def __init__(self, current: Execution | None) -> None:
        self.current = current
        self.down = False
        self.described = 0
        self.resets = FakeResets()
        effect, self.calls = paying()
        self.attempts = Attempts(effect, resets=ResetWatch(resets=self.resets, describe=self._describe, clock=lambda: AT))
        self.attempts.fake.runs[RUN] = self.resets.run

    async def _describe(self, tenant: str, run: str) -> Execution | None:
        del tenant, run
        self.described += 1
        if self.down:
            raise Unavailable("Temporal does not answer")
        return self.current

    async def refusal_of(self, temporal_run: str, *, epoch: int = 1) -> ApplicationError:
        """Let an execution try, and return why it may not."""
        return await refused(
            self.attempts, envelope(fact(1)).model_copy(update={"epoch": epoch, "step": "more"}), temporal_run=temporal_run
        )


async def followed(current: Execution | None) -> World:
    """Return a world whose run follows the execution `old`, which has paid once."""
    world = World(current)
    await world.attempts.attempt(envelope(fact(1)), temporal_run="old")
    return world


class TestReset:
    async def test_is_told_where_to_go_on(self) -> None:
        world = await followed(Execution("new", open=True))
        error = await world.refusal_of("new")
        assert (error.type, details(error).reset) == ("run-reset", ResetPoint(epoch=2, fact_head=1))
        assert (world.resets.adopted, len(world.calls)) == (["new"], 1)

    async def test_is_adopted_and_looked_up_once(self) -> None:
        world = await followed(Execution("new", open=True))
        for _ in range(3):
            assert (await world.refusal_of("new")).type == "run-reset"
        assert (world.resets.adopted, world.described) == (["new"], 1)

    async def test_waits_while_temporal_cannot_say_which_is_current(self) -> None:
        world = await followed(Execution("new", open=True))
        world.down = True
        error = await world.refusal_of("new")
        assert (error.type, error.non_retryable, world.resets.adopted) == ("unavailable", False, [])


class TestReplacedExecution:
    async def test_that_lives_on_is_stale_and_does_nothing(self) -> None:
        world = await followed(Execution("new", open=True))
        await world.refusal_of("new")
        error = await world.refusal_of("old")
        assert (error.type, error.non_retryable) == ("stale-epoch", True)
        assert (len(world.calls), world.resets.adopted) == (1, ["new"])
        assert [entry.epoch for entry in world.resets.run.entries[-1:]] == [1]

    async def test_is_stale_although_the_current_one_has_ended(self) -> None:
        world = await followed(Execution("new", open=True))
        await world.refusal_of("new")
        world.current = Execution("new", open=False)
        assert (await world.refusal_of("old")).type == "stale-epoch"

    async def test_is_stale_when_temporal_knows_none(self) -> None:
        world = await followed(None)
        assert (await world.refusal_of("other")).type == "stale-epoch"
        assert world.resets.adopted == []
