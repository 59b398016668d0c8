"""The undo of a saga: order, doubt, and what a person settles."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from domain.state import Failure, RenderedUndo
from sagas.undo import Answer, unwind

NO = Failure(code="tool-failed", detail="the bank says no")


def entry(
    step: str, *, known: Literal["happened", "unknown"] = "happened", if_unknown: Literal["compensate", "ask"] = "ask"
) -> RenderedUndo:
    """Build a compensation."""
    return RenderedUndo(step=step, tool=f"undo.{step}", known=known, if_unknown=if_unknown)


@dataclass
class Helpers:
    """Plays the bank and the person: failures by step, in order, and answers in order."""

    failures: dict[str, list[Failure | None]] = field(default_factory=dict[str, list[Failure | None]])
    answers: list[Answer] = field(default_factory=list[Answer])
    seen: list[str] = field(default_factory=list[str])

    async def call(self, undo: RenderedUndo) -> Failure | None:
        """Run a compensation."""
        self.seen.append(f"call {undo.step}")
        left = self.failures.get(undo.step, [])
        return left.pop(0) if left else None

    async def ask(self, undo: RenderedUndo, kind: str, detail: str) -> Answer:
        """Ask the person."""
        assert detail
        self.seen.append(f"ask {undo.step} {kind}")
        return self.answers.pop(0)


class TestUnwind:
    async def test_runs_one_after_the_other_in_the_order_given(self) -> None:
        helpers = Helpers()
        await unwind([entry("b"), entry("a")], call=helpers.call, ask=helpers.ask)
        assert helpers.seen == ["call b", "call a"]

    async def test_asks_about_a_step_in_doubt_and_undoes_it_only_if_it_happened(self) -> None:
        helpers = Helpers(answers=["did_not_happen", "happened"])
        await unwind([entry("b", known="unknown"), entry("a", known="unknown")], call=helpers.call, ask=helpers.ask)
        assert helpers.seen == ["ask b in_doubt", "ask a in_doubt", "call a"]

    async def test_undoes_a_step_in_doubt_whose_compensation_says_that_is_safe(self) -> None:
        helpers = Helpers()
        await unwind([entry("a", known="unknown", if_unknown="compensate")], call=helpers.call, ask=helpers.ask)
        assert helpers.seen == ["call a"]

    @pytest.mark.parametrize("answer", ["happened", "give_up"])
    async def test_goes_on_when_a_person_settled_a_failed_compensation(self, answer: Answer) -> None:
        helpers = Helpers(failures={"b": [NO]}, answers=[answer])
        await unwind([entry("b"), entry("a")], call=helpers.call, ask=helpers.ask)
        assert helpers.seen == ["call b", "ask b failed_compensation", "call a"]

    async def test_tries_again_as_often_as_a_person_asks_for_it(self) -> None:
        helpers = Helpers(failures={"a": [NO, NO, None]}, answers=["did_not_happen", "did_not_happen"])
        await unwind([entry("a")], call=helpers.call, ask=helpers.ask)
        assert helpers.seen == ["call a", "ask a failed_compensation", "call a", "ask a failed_compensation", "call a"]

    async def test_asks_a_person_when_the_arguments_could_not_be_computed(self) -> None:
        helpers = Helpers(answers=["happened"])
        broken = entry("a").model_copy(update={"problem": "no such key: id"})
        await unwind([broken], call=helpers.call, ask=helpers.ask)
        assert helpers.seen == ["ask a failed_compensation"]
