"""A reset state moves to where the ledger is: its own facts follow the last one there, and it knows which calls may have happened."""

from hypothesis import given
from hypothesis import strategies as st

from domain.facts import Fact
from domain.ledger import Kind
from domain.resets import ResetPoint, rebase
from domain.state import State
from tests.domain.play import Play
from tests.domain.programs import call, program


def state_of(facts: int, *, epoch: int = 1, acknowledged: int = 0) -> State:
    """Build a state with so many facts, of which the first are in the ledger as far as it knows."""
    made = [Fact(seq=n, kind=Kind.STEP_ENTERED, at="t", epoch=epoch, step=f"s{n}", visit=1) for n in range(1, facts + 1)]
    digest = made[-1].digest() if made else ""
    return State(epoch=epoch, fact_seq=facts, last_fact_digest=digest, unacked=made[acknowledged:])


class TestRebase:
    @given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 9))
    def test_numbers_its_facts_after_the_last_one_in_the_ledger(self, facts: int, acknowledged: int, head: int) -> None:
        state = state_of(facts, acknowledged=min(facts, acknowledged))
        steps = [fact.step for fact in state.unacked]
        rebase(state, ResetPoint(epoch=2, fact_head=head, fact_digest="d"))
        assert [fact.seq for fact in state.unacked] == list(range(head + 1, head + 1 + len(steps)))
        assert ([fact.step for fact in state.unacked], {fact.epoch for fact in state.unacked} | {2}) == (steps, {2})
        assert (state.epoch, state.fact_seq) == (2, head + len(steps))
        assert state.last_fact_digest == (state.unacked[-1].digest() if steps else "d")

    def test_happens_once_for_each_reset(self) -> None:
        state, point = state_of(2), ResetPoint(epoch=2, fact_head=7, fact_digest="d")
        rebase(state, point)
        moved = state.model_dump_json()
        rebase(state, point)
        assert state.model_dump_json() == moved

    def test_leaves_a_state_of_a_later_epoch_as_it_is(self) -> None:
        state = state_of(2, epoch=3)
        before = state.model_dump_json()
        rebase(state, ResetPoint(epoch=2, fact_head=7))
        assert state.model_dump_json() == before

    def test_lets_the_end_count_the_facts_before_it_anew(self) -> None:
        play = Play(program(call("a")))
        play.done("a")
        rebase(play.state, ResetPoint(epoch=2, fact_head=40, fact_digest="d"))
        *before, finished = play.state.unacked
        assert (finished.kind, finished.data["facts"], finished.data["last_digest"]) == (
            Kind.RUN_FINISHED,
            finished.seq,
            before[-1].digest(),
        )

    def test_knows_which_calls_the_replaced_execution_may_have_made(self) -> None:
        state = state_of(0)
        state.tried = {"a#1/call": 2}
        rebase(state, ResetPoint(epoch=2, fact_head=0, tried=["b#1/call"]))
        assert state.tried == {"a#1/call": 2, "b#1/call": 1}
