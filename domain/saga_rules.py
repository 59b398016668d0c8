"""What cannot be true of a saga: compensations after a pivot, two pivots, steps that read or guard what runs beside them. Pure.

Grammar is `domain/definition_sagas.py`. A saga with a pivot promises: before it everything can be undone, after it everything is done.
"""

from domain.definition_parts import DocPath, Mistake, ParsedDefinition
from domain.definition_scope import beside, inner_steps, parallel_sagas
from domain.program import ApproveStep, CallStep, DoStep, SagaStep, SetStep, Step, SwitchStep

PAST_PIVOT = (CallStep, SetStep, DoStep, SwitchStep)
"""What may stand after a pivot: it computes, or it is a call that is retried until it is done."""


def check_sagas(parsed: ParsedDefinition) -> list[Mistake]:
    """Return what is impossible about the sagas of a definition."""
    return _Sagas(parsed).check()


class _Sagas:
    def __init__(self, parsed: ParsedDefinition) -> None:
        self._parsed = parsed
        self._parallel = parallel_sagas(parsed.steps)
        self._mistakes: list[Mistake] = []

    def check(self) -> list[Mistake]:
        self._walk(self._parsed.steps, around=None)
        return self._mistakes

    def _note(self, step: Step, key: str, message: str, instead: str = "") -> None:
        place: DocPath = self._parsed.places[step.path]
        self._mistakes.append(Mistake((*place, key), message, instead, on_key=True))

    def _walk(self, steps: list[Step], *, around: SagaStep | None) -> None:
        for step in steps:
            if isinstance(step, CallStep):
                self._call(step, around)
            elif isinstance(step, ApproveStep):
                self._approval(step)
            if isinstance(step, SagaStep):
                self._saga(step, around)
            self._walk(inner_steps(step), around=step if isinstance(step, SagaStep) else around)

    def _saga(self, saga: SagaStep, around: SagaStep | None) -> None:
        pivots = [step for step in saga.steps if isinstance(step, CallStep) and step.pivot]
        for extra in pivots[1:]:
            self._note(extra, "pivot", f"a saga has one pivot, and `{pivots[0].path}` is it", "retriable: true")
        if pivots and around is not None:
            message = f"a saga with a pivot cannot stand inside `{around.path}`: after the pivot, nothing of it could be undone any more"
            self._note(pivots[0], "pivot", message, "make the pivot a step of the outer saga")
        if pivots and saga.mode == "parallel":
            self._note(
                pivots[0], "pivot", "a pivot parts the steps before it from those after it, and these run at once", "mode: sequential"
            )
        for after in [step for step in saga.steps if step.forward]:
            self._after(after, pivots[0])

    def _call(self, step: CallStep, around: SagaStep | None) -> None:
        if step.pivot and around is not None and step not in around.steps:
            self._note(step, "pivot", f"a pivot stands directly in the list of its saga `{around.path}`, not in a step inside it")
        if step.pivot and step.compensate is not None:
            self._note(step, "compensate", "a pivot is never undone: what follows it is done until it succeeds", "pivot: false")
        if step.pivot and step.when is not None:
            self._note(step, "if", "a pivot is never left out: the saga would not know which way to go")
        if step.retriable and not step.forward:
            self._note(
                step,
                "retriable",
                "`retriable` belongs to a step after its saga's pivot; before it, a failure undoes the saga",
                "pivot: true",
            )

    def _after(self, step: Step, pivot: CallStep) -> None:
        if not isinstance(step, PAST_PIVOT):
            message = f"`{step.kind}` cannot stand after the pivot `{pivot.path}`: it may fail, and nothing can be undone any more"
            self._note(step, step.kind, message, "a `call` with `retriable: true`, `set`, `do` or `switch`")
            return
        if step.timeout_s is not None:
            self._note(step, "timeout", f"a step after the pivot `{pivot.path}` is tried until it is done and has no `timeout`")
        if isinstance(step, CallStep):
            self._call_after(step, pivot)
        for inner in inner_steps(step):
            self._after(inner, pivot)

    def _call_after(self, step: CallStep, pivot: CallStep) -> None:
        if step.compensate is not None:
            self._note(step, "compensate", f"a step after the pivot `{pivot.path}` is never undone", "retriable: true")
        if not step.retriable and not step.pivot:
            message = f"a step after the pivot `{pivot.path}` says that it may be tried until it is done"
            self._note(step, "call", message, "retriable: true")

    def _approval(self, step: ApproveStep) -> None:
        for place, name in enumerate(step.binds):
            saga = beside(self._parallel, step.path, name)
            if saga is not None:
                at = (*self._parsed.places[step.path], "approve", "binds", place)
                message = f"`binds` names `{name}`, which runs beside this approval in the parallel saga `{saga}`"
                self._mistakes.append(Mistake(at, message, f"put the approval before `{saga}`, or both into one branch"))
