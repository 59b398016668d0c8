"""Plays a run by hand and keeps what the journal, the inbox and the ledger would know of it: its past."""

from collections.abc import Callable

from pydantic import JsonValue

from domain.approval import OpenApproval
from domain.effects import EffectState, request_digest
from domain.envelope import Receipt
from domain.past import KnownAnswer, KnownApproval, KnownEffect, Past
from domain.program import Program
from domain.state import AskApproval, CallTool, CompletePrompt, Decided, Done, Failed, Failure, Outcome, State, Unwind, Unwound
from tests.domain.play import Play

Answer = Callable[[CallTool | CompletePrompt], JsonValue | Failure]
"""What the world says to a call: an output, or why it failed."""


class Recorded:
    """A run that is played to its end; `undo` answers compensations, `decide` approvals."""

    def __init__(
        self, program: Program, answer: Answer, *, verdict: str = "approve", undo: bool = True, state: State | None = None
    ) -> None:
        self.program = program
        self.play = Play(program, state=state)
        self.effects: dict[tuple[str, int, str], KnownEffect] = {}
        self.approvals: list[KnownApproval] = []
        self.answers: list[KnownAnswer] = []
        self.asked: list[tuple[str, int, str]] = []
        self._answer, self._verdict, self._undo = answer, verdict, undo
        self._facts: set[tuple[str, str | None, int | None]] = set()
        self._turn = 0

    def run(self, *, stop_before: str | None = None) -> "Recorded":
        """Play until the run ends, or until this step is asked for."""
        while True:
            waiting = [c for c in self.play.state.pending.values() if c.kind != "finish"]
            if not waiting or waiting[0].step == stop_before:
                self._facts |= {(fact.kind, fact.step, fact.visit) for fact in self.play.state.unacked}
                return self
            self.play.apply(self._outcome(waiting[0]))

    def past(self, *, epoch: int = 1, base: State | None = None) -> Past:
        """Return what PostgreSQL would know."""
        state = self.play.state
        return Past(
            run="run_1",
            epoch=epoch,
            fact_head=state.fact_seq,
            fact_digest=state.last_fact_digest,
            effects=tuple(self.effects.values()),
            approvals=tuple(self.approvals),
            answers=tuple(self.answers),
            facts=frozenset(self._facts),
            base=base,
        )

    def _now(self) -> str:
        self._turn += 1
        return f"2026-03-01T12:00:{self._turn:02d}.000000+00:00"

    def _outcome(self, command: CallTool | CompletePrompt | AskApproval | Unwind) -> Outcome:
        if isinstance(command, AskApproval):
            return self._decided(command)
        if isinstance(command, Unwind):
            return self._unwound(command)
        key = (command.step, command.visit, command.call)
        self.asked.append(key)
        known = self.effects.get(key)
        said = known.output if known is not None and known.done else self._answer(command)
        subject = f"{command.tool}@{command.version}" if isinstance(command, CallTool) else "fake/model"
        self._keep(key, subject, said)
        if isinstance(said, Failure):
            return Failed(command=command.id, failure=said)
        fields: dict[str, JsonValue] = {"": said} if isinstance(command, CallTool) else said  # pyright: ignore[reportAssignmentType] - a model's output is an object
        return Done(command=command.id, receipt=Receipt(ref=f"ref-{'-'.join(map(str, key))}", digest="d", fields=fields))

    def _keep(self, key: tuple[str, int, str], subject: str, said: JsonValue | Failure, request: JsonValue = None) -> None:
        failed = isinstance(said, Failure)
        self.effects[key] = KnownEffect(
            step=key[0],
            visit=key[1],
            call=key[2],
            subject=subject,
            digest=request_digest(tool=subject, version="", arguments=None),
            effect_class="money",  # pyright: ignore[reportArgumentType] - pydantic reads the word
            state=EffectState.FAILED if failed else EffectState.DONE,
            started_at=self._now(),
            ended_at=self._now(),
            output_ref=None if failed else f"ref-{'-'.join(map(str, key))}",
            output=None if failed else said,
            error={"code": said.code, "detail": said.detail, "retryable": "false"} if isinstance(said, Failure) else None,
            request=request,
        )

    def _decided(self, command: AskApproval) -> Outcome:
        state = {"approve": "approved", "reject": "rejected"}.get(self._verdict, self._verdict)
        opened = OpenApproval.model_validate(command.approval.model_dump() | {"opened_at": self._now()})
        self.approvals.append(KnownApproval(opened=opened, state=state, decided_by="prn_reviewer", decision_id="dec_1"))
        return Decided.model_validate({"command": command.id, "verdict": self._verdict, "decided_by": "prn_reviewer"})

    def _unwound(self, command: Unwind) -> Outcome:
        for entry in command.undo:
            if self._undo:
                self._keep((entry.step, entry.visit, "compensate"), f"{entry.tool}@1.0.0", {}, request=dict(entry.arguments))
        return Unwound(command=command.id)
