"""Plays runs by hand, over several epochs, and keeps what the journal, the inbox, the ledger and the outside know of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pydantic import JsonValue

from domain.approval import OpenApproval
from domain.effects import EffectClass, EffectState, request_digest
from domain.envelope import Receipt
from domain.estimates import text_bytes
from domain.facts import Fact
from domain.ledger import Kind
from domain.past import KnownAnswer, KnownApproval, KnownEffect, Past, Place
from domain.program import Program
from domain.projection import project
from domain.rebuild import Rebuilt, rebuild_for_redrive
from domain.state import (
    AskApproval,
    CallTool,
    CancelRequested,
    Command,
    CompletePrompt,
    Decided,
    Done,
    Failed,
    Failure,
    Finish,
    Outcome,
    RenderedUndo,
    State,
    Tick,
    UndoEnd,
    Unwind,
    Unwound,
)
from tests.domain.play import RUN, Play

Key = tuple[str, int, str]
"""A step, its visit and its call: what an outside key stands for."""

Answer = Callable[[CallTool | CompletePrompt], JsonValue]
"""What the outside gives to a call that happens."""

STOPS = ("stop", "stop-begun", "stop-happened", "stop-recorded", "stop-second-try")
"""Words that end an execution from outside: before the next command begins, or while only the outside or the journal knows how it ends."""

WORDS = ("done", "failed", "unknown", "lost", "cancel")
"""Words for how a command ends. `unknown` happened and `lost` did not, and nobody can tell them apart."""


def tick(epoch: int = 0) -> Tick:
    """Return when a state is rebuilt; what is asked anew gets other ids in each epoch."""
    return Tick(now="2026-04-01T12:00:00.000000+00:00", entropy=f"{epoch:032x}")


TURNS_MAX = 10_000
"""More turns than an execution of a test has: each turn of a run has entropy of its own."""


def an_object(_command: CallTool | CompletePrompt) -> JsonValue:
    """Give the same to everybody."""
    return {"ok": True}


@dataclass
class Books:
    """What PostgreSQL knows of one run, and what happened outside (`happened`: calls and compensations; `by_hand`: undone by people)."""

    effects: dict[Key, KnownEffect] = field(default_factory=dict[Key, KnownEffect])
    approvals: dict[str, KnownApproval] = field(default_factory=dict[str, KnownApproval])
    answers: list[KnownAnswer] = field(default_factory=list[KnownAnswer])
    ledger: list[Fact] = field(default_factory=list[Fact])
    epoch: int = 1
    happened: list[Key] = field(default_factory=list[Key])
    by_hand: set[Place] = field(default_factory=set[Place])
    used: dict[str, set[Key]] = field(default_factory=dict[str, set[Key]])
    turn: int = 0

    def past(self, *, base: State | None = None) -> Past:
        """Return the run's past."""
        failed = [fact for fact in self.ledger if fact.kind == Kind.STEP_FAILED and fact.data["unknown"] is False]
        return Past(
            run="run_1",
            epoch=self.epoch,
            fact_head=len(self.ledger),
            fact_digest=self.ledger[-1].digest() if self.ledger else "",
            effects=tuple(self.effects.values()),
            approvals=tuple(self.approvals.values()),
            answers=tuple(self.answers),
            facts=frozenset((fact.kind, fact.step, fact.visit) for fact in self.ledger),
            surely_not=frozenset((fact.step or "", fact.visit or 1) for fact in failed),
            base=base,
        )

    def now(self) -> str:
        """Return a time after all that were given."""
        self.turn += 1
        return f"2026-03-01T12:{self.turn // 60:02d}:{self.turn % 60:02d}.000000+00:00"

    def write(self, state: State) -> None:
        """Append the facts that are new; they follow each other without a gap, and each epoch tells each but once."""
        for fact in state.unacked:
            if fact.seq > len(self.ledger):
                assert fact.seq == len(self.ledger) + 1, "a gap in the facts"
                self.ledger.append(fact)

    def begin(self, key: Key, subject: str, digest: str, request: JsonValue = None) -> None:
        """Record an intent."""
        plain = {"step": key[0], "visit": key[1], "call": key[2], "subject": subject, "digest": digest, "started_at": self.now()}
        state = {"effect_class": EffectClass.MONEY, "state": EffectState.INTENT, "request": request}
        self.effects[key] = KnownEffect.model_validate({**plain, **state})

    def end(self, key: Key, output: JsonValue = None, *, failure: Failure | None = None) -> None:
        """Record an outcome."""
        told: dict[str, object] = {"state": EffectState.DONE, "output": output, "output_ref": ref_of(key), "output_digest": "d" * 64}
        if failure is not None:
            told = {"state": EffectState.FAILED, "error": {"code": failure.code, "detail": failure.detail, "retryable": "false"}}
        self.effects[key] = self.effects[key].model_copy(update={**told, "ended_at": self.now()})

    def do(self, key: Key) -> None:
        """Let it happen outside; the same key again changes nothing there."""
        if key not in self.happened:
            self.happened.append(key)

    def undone(self) -> set[Place]:
        """Return the steps that were undone, by a compensation or by hand."""
        return self.by_hand | {(step, visit) for step, visit, call in self.happened if call.startswith("compensate")}

    def standing(self) -> dict[str, list[int]]:
        """Return the visits of each step whose call happened outside and was not undone."""
        found: dict[str, list[int]] = {}
        for step, visit, call in self.happened:
            if call == "call" and (step, visit) not in self.undone():
                found.setdefault(step, []).append(visit)
        return found


def ref_of(key: Key) -> str:
    """Return the reference of an outcome."""
    return f"ref-{'-'.join(map(str, key))}"


class Execution:
    """One execution of a run over its books: the calls it `requested` of the journal, and those that it `asked` outside, in order."""

    def __init__(self, program: Program, books: Books, *, state: State | None = None, answer: Answer = an_object) -> None:
        self.program = program
        self.books = books
        self.requested: list[Key] = []
        self.asked: list[Key] = []
        self._answer = answer
        carried = None if state is None else State.model_validate_json(state.model_dump_json())
        self.play = Play(program, state=carried, turn=TURNS_MAX * books.epoch)

    def run(self, words: Iterable[str] = (), *, stop_before: str | None = None) -> "Execution":
        """Play by the words, then well, to the end; a stop word ends it earlier, and so does the step to stop before."""
        left = list(words)
        while waiting := [command for command in self.play.state.pending.values() if not isinstance(command, Finish)]:
            if waiting[0].step == stop_before:
                return self
            word = left.pop(0) if left else "done"
            if word == "cancel":
                self.play.apply(CancelRequested())
                continue
            outcome = self._outcome(waiting[0], word)
            if outcome is None:
                return self
            self.play.apply(outcome)
        self.books.write(self.play.state)
        return self

    def redriven(self) -> "Execution":
        """Return the execution of the next epoch."""
        return Execution(self.program, self.books, state=self.rebuilt().state, answer=self._answer)

    def rebuilt(self) -> Rebuilt:
        """Rebuild the state for the next epoch, which the books then are in."""
        rebuilt = rebuild_for_redrive(self.program, RUN, self.books.past(), tick(self.books.epoch))
        self.books.epoch += 1
        assert rebuilt.state.epoch == self.books.epoch
        return rebuilt

    def _outcome(self, command: Command, word: str) -> Outcome | None:
        if word == "stop":
            return None
        self.books.write(self.play.state)
        if isinstance(command, AskApproval):
            return self._decided(command, word)
        if isinstance(command, Unwind):
            return self._unwound(command, word)
        assert isinstance(command, CallTool | CompletePrompt), "no other kind of step is played here"
        return self._called(command, word)

    def _called(self, command: CallTool | CompletePrompt, word: str) -> Outcome | None:
        key = (command.step, command.visit, command.call)
        self.requested.append(key)
        if key[2] == "call":
            assert key[:2] not in self.books.undone(), "what was undone is taken for done"
        known = self.books.effects.get(key)
        if known is None or not known.done:
            self._attempt(command, key, word)
            if word in STOPS:
                return None
        ended = self.books.effects[key]
        if ended.error is not None:
            unknown = word != "failed" or command.id in self.play.state.tried
            failure = Failure(code=ended.error["code"], detail=ended.error["detail"], step=command.step, unknown=unknown)
            return Failed(command=command.id, failure=failure)
        fields = project(ended.output, command.project)
        return Done(
            command=command.id,
            receipt=Receipt(ref=ended.output_ref, digest=ended.output_digest, fields=fields, size=text_bytes(ended.output)),
        )

    def _attempt(self, command: CallTool | CompletePrompt, key: Key, word: str) -> None:
        """Make a call outside. Its key may be tried again, but never after it was done."""
        self.asked.append(key)
        if isinstance(command, CallTool):
            subject = f"{command.tool}@{command.version}"
            digest = request_digest(tool=command.tool, version=command.version, arguments=command.arguments)
            self._use(command, key)
        else:
            subject, digest = "fake/model", "0" * 64
        self.books.begin(key, subject, digest)
        if word in ("done", "unknown", "stop-happened", "stop-recorded", "stop-second-try"):
            self.books.do(key)
        if word in ("failed", "unknown", "lost"):
            self.books.end(key, failure=Failure(code="tool-failed", detail="no", step=command.step))
        elif word in ("done", "stop-recorded"):
            self.books.end(key, self._answer(command))

    def _use(self, command: CallTool, key: Key) -> None:
        """Use the approval that a call is bound to: it serves one call of a step that happens; one that did not does not use it up."""
        if command.approval is None:
            return
        given = self.books.approvals[command.approval]
        assert given.state in ("approved", "timed_out"), f"a call ran by an approval that is {given.state}"
        used = self.books.used.setdefault(command.approval, set())
        assert not [each for each in used if each[0] == command.step and each != key and each in self.books.happened], "used twice"
        used.add(key)

    def _decided(self, command: AskApproval, word: str) -> Outcome | None:
        verdict = {"done": "approve", "failed": "reject", "unknown": "timed_out", "lost": "timed_out"}.get(word)
        state = {"approve": "approved", "reject": "rejected", None: "withdrawn"}.get(verdict, "timed_out")
        opened = OpenApproval.model_validate(command.approval.model_dump() | {"opened_at": self.books.now()})
        by = "prn_reviewer" if verdict in ("approve", "reject") else None
        self.books.approvals[opened.approval] = KnownApproval(opened=opened, state=state, decided_by=by, decision_id="dec_1")
        return None if verdict is None else Decided.model_validate({"command": command.id, "verdict": verdict, "decided_by": by})

    def _unwound(self, command: Unwind, word: str) -> Outcome | None:
        for entry in command.undo:
            if self._wanted(entry) and not self._undo(entry, word):
                return None
        return Unwound(command=command.id, ended={entry.step: self._end_of(entry) for entry in command.undo})

    def _end_of(self, entry: RenderedUndo) -> UndoEnd:
        place = (entry.step, entry.visit)
        if not self._wanted(entry):
            return "not_happened"
        if place in self.books.by_hand:
            return "by_hand"
        given_up = any((answer.step, answer.visit) == place for answer in self.books.answers)
        return "given_up" if given_up else "undone"

    def _wanted(self, entry: RenderedUndo) -> bool:
        """A person, if one is asked, tells the truth."""
        truth = (entry.step, entry.visit, "call") in self.books.happened
        return truth or entry.known == "happened" or entry.if_unknown == "compensate"

    def _undo(self, entry: RenderedUndo, word: str) -> bool:
        """Undo one step; False when the execution is stopped meanwhile.

        `failed`: a person undoes it by hand. `unknown`: it cannot be undone, and is given up. `lost`: the second try does it.
        """
        tried = entry.tried
        if (entry.step, entry.visit, _undo_call(tried)) in self.books.happened:
            word = "done"  # the same key again: the outside says that it is done
        if word in ("lost", "stop-second-try"):
            self._try_undo(entry, tried, happened=False, recorded=True)
            tried += 1
        if word in ("failed", "unknown"):
            self._try_undo(entry, tried, happened=False, recorded=True)
            resolution = "happened" if word == "failed" else "give_up"
            self.books.answers.append(KnownAnswer(step=entry.step, visit=entry.visit, resolution=resolution))
            if word == "failed":
                self.books.by_hand.add((entry.step, entry.visit))
            return True
        self._try_undo(entry, tried, happened=word != "stop-begun", recorded=word in ("done", "lost", "stop-recorded"))
        return word not in STOPS

    def _try_undo(self, entry: RenderedUndo, tried: int, *, happened: bool, recorded: bool) -> None:
        key = (entry.step, entry.visit, _undo_call(tried))
        known = self.books.effects.get(key)
        if known is not None and known.done:
            return
        self.books.begin(key, f"{entry.tool}@1.0.0", "0" * 64, dict(entry.arguments))
        if happened:
            self.books.do(key)
            refunds = [each for each in self.books.happened if each[:2] == key[:2] and each[2].startswith("compensate")]
            assert len(refunds) == 1, f"undone twice: {refunds}"
        if recorded:
            self.books.end(key, {}, failure=None if happened else Failure(code="tool-failed", detail="no", step=entry.step))


def _undo_call(tried: int) -> str:
    return "compensate" if tried == 0 else f"compensate.{tried + 1}"
