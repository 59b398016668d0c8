"""The stepper and the interceptor with one bug each, as JOURNAL §2 names them."""

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.interceptor import JournalInterceptor
from domain.envelope import Envelope
from domain.program import CallStep, SagaStep, Step
from domain.recorder import Recorder
from domain.state import Command, Done, Finish, Outcome, RenderedUndo, Undo, Unwind
from domain.stepper import Progress, Stepper, walk


class RegistersAfter(Stepper):
    """Registers a compensation when its step is done, not before it begins."""

    _late: dict[str, tuple[str, Undo]]

    def _enter_leaf(self, step: Step, recorder: Recorder, *, saga: str | None) -> None:
        super()._enter_leaf(step, recorder, saga=saga)
        entries = self.state.undo.get(saga or "", [])
        if entries and entries[-1].step == step.path:
            self._late = {step.path: (saga or "", entries.pop())}

    def _settle(self, command: Command, outcome: Outcome, recorder: Recorder) -> None:
        if isinstance(outcome, Done) and not isinstance(command, Finish) and (late := getattr(self, "_late", {}).pop(command.step, None)):
            self.state.undo[late[0]].append(late[1])
        super()._settle(command, outcome, recorder)


class UndoesBranchesThatNeverBegan(Stepper):
    """Undoes every branch of a parallel saga, those that never began as well."""

    def _saga(self, step: SagaStep, recorder: Recorder, *, outer: str | None) -> Progress:
        progress = super()._saga(step, recorder, outer=outer)
        asked = next((c for c in recorder.commands if isinstance(c, Unwind) and c.step == step.path), None)
        if asked is not None and step.mode == "parallel":
            never = [s for s in walk(step.steps) if isinstance(s, CallStep) and s.compensate is not None and s.path not in self.state.steps]
            tools = [(each.path, each.compensate.tool) for each in never if each.compensate is not None]
            asked.undo += [RenderedUndo(step=path, tool=tool, known="unknown", if_unknown="compensate") for path, tool in tools]
        return progress


class _OtherKey(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> object:  # noqa: A002 - the SDK's parameter name
        [given] = input.args
        assert isinstance(given, Envelope)
        input.args = [given.model_copy(update={"call": f"{given.call}@{activity.info().workflow_run_id}"})]
        return await super().execute_activity(input)


class KeyFromTemporalsRun(JournalInterceptor):
    """Makes the effect's key, and with it the Idempotency-Key handed outside, from Temporal's run id."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's parameter name
        """Stand before the real interceptor."""
        return _OtherKey(super().intercept_activity(next))
