"""Which model calls a worker lets through."""

import pytest

from domain.admission import AskedCall, check_registered, check_written, rendered_from
from domain.agents import DEVELOPMENT, PRODUCTION, AgentStatus, RegisteredAgent
from domain.errors import AgentRefused
from domain.fallbacks import Fallback
from domain.program import AgentPin, AgentStep
from tests.domain.agent_samples import manifest, registered

MADE = registered(manifest(tools=("notes.read@^1",), asks=("bean-counter@^1",), hands_off_to=("desk",)))


def pin(agent: RegisteredAgent = MADE) -> AgentPin:
    """Build the pin of a version."""
    return AgentPin(name=agent.name, version=agent.version, sha256=agent.sha256)


def asked(**changes: object) -> AskedCall:
    """Build a call of the agent."""
    said: dict[str, object] = {
        "tenant": "t",
        "run": "run_1",
        "step": "judge",
        "model": "fake/model",
        "instructions": "Be strict.",
        "tools": ("notes.read", "ask.bean_counter", "hand_off.desk"),
        "output_schema": None,
        "max_output_tokens": 100,
    }
    return AskedCall.model_validate({**said, **changes})


class TestRegisteredAgent:
    def test_runs_as_it_is_registered(self) -> None:
        assert check_registered(asked(), pin(), MADE, PRODUCTION) is MADE

    def test_is_refused_when_nobody_registered_it(self) -> None:
        with pytest.raises(AgentRefused, match="not registered"):
            check_registered(asked(), pin(), None, DEVELOPMENT)

    @pytest.mark.parametrize("status", [AgentStatus.DRAFT, AgentStatus.REVIEW, AgentStatus.RETIRED])
    def test_is_refused_in_production_until_it_is_approved_and_after_it_is_retired(self, status: AgentStatus) -> None:
        with pytest.raises(AgentRefused, match=status):
            check_registered(asked(), pin(), MADE.model_copy(update={"status": status}), PRODUCTION)

    def test_goes_on_when_it_is_deprecated(self) -> None:
        assert check_registered(asked(), pin(), MADE.model_copy(update={"status": AgentStatus.DEPRECATED}), PRODUCTION)

    def test_is_refused_everywhere_when_it_is_retired(self) -> None:
        with pytest.raises(AgentRefused, match="retired"):
            check_registered(asked(), pin(), MADE.model_copy(update={"status": AgentStatus.RETIRED}), DEVELOPMENT)

    def test_is_refused_when_its_row_was_tampered_with(self) -> None:
        changed = MADE.model_copy(update={"manifest": manifest(text="Pay everybody.")})
        with pytest.raises(AgentRefused, match="SHA-256"):
            check_registered(asked(), pin(), changed, DEVELOPMENT)

    def test_is_refused_under_a_pin_of_something_else(self) -> None:
        with pytest.raises(AgentRefused, match="SHA-256"):
            check_registered(asked(), AgentPin(name="reviewer", version="1.0.0", sha256="0" * 64), MADE, DEVELOPMENT)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"tools": ("bank.pay",)}, "bank.pay"),
            ({"model": "fake/other"}, "fake/other"),
            ({"others": ("fake/other",)}, "may not fall back"),
            ({"output_schema": {"type": "object"}}, "schema"),
            ({"max_output_tokens": 5000}, "tokens"),
        ],
    )
    def test_is_refused_when_the_call_asks_for_more_than_it_may(self, changes: dict[str, object], said: str) -> None:
        with pytest.raises(AgentRefused, match=said):
            check_registered(asked(**changes), pin(), MADE, DEVELOPMENT)


WRITTEN = AgentStep(path="judge", model="${ config.model }", instructions="Review ${ input.claim } with care.", tools=["notes.read"])


class TestChain:
    CHAINED = registered(manifest(fallbacks=[{"model": "fake/next"}], max_call_usd_micros=50))

    def test_is_the_one_that_the_version_names(self) -> None:
        call = asked(others=("fake/next",), max_call_usd_micros=50, tools=())
        assert check_registered(call, pin(self.CHAINED), self.CHAINED, PRODUCTION) is self.CHAINED

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"others": ("fake/next", "fake/other")}, "may not fall back on fake/other"),
            ({"max_call_usd_micros": 51}, "max_call_usd"),
            ({"max_call_usd_micros": None}, "max_call_usd"),
        ],
    )
    def test_is_refused_when_it_is_another_or_dearer(self, changes: dict[str, object], said: str) -> None:
        call = asked(**{"max_call_usd_micros": 50, "tools": (), **changes})
        with pytest.raises(AgentRefused, match=said):
            check_registered(call, pin(self.CHAINED), self.CHAINED, DEVELOPMENT)

    def test_of_a_written_agent_is_the_one_of_its_definition(self) -> None:
        step = AgentStep(path="judge", model="fake/model", instructions="Be strict.", fallbacks=[Fallback(model="fake/next")])
        check_written(asked(others=("fake/next",), instructions="Be strict.", tools=()), "judge", {"judge": step})
        with pytest.raises(AgentRefused, match="may not fall back on fake/other"):
            check_written(asked(others=("fake/other",), instructions="Be strict.", tools=()), "judge", {"judge": step})

    def test_of_a_word_is_what_the_run_keeps_of_it(self) -> None:
        worded = registered(manifest(model="fast"))
        call = asked(model="fake/meant", others=("fake/behind",), tools=())
        assert check_registered(call, pin(worded), worded, PRODUCTION) is worded


class TestWrittenAgent:
    def test_runs_as_its_definition_says(self) -> None:
        check_written(asked(instructions="Review c-1 with care.", tools=("notes.read",)), "judge", {"judge": WRITTEN})

    def test_is_refused_in_a_run_of_no_definition(self) -> None:
        with pytest.raises(AgentRefused, match="no registered definition"):
            check_written(asked(), "judge", None)

    @pytest.mark.parametrize("step", [WRITTEN.model_copy(update={"uses": "reviewer"}), None])
    def test_is_refused_at_a_step_that_has_none_of_its_own(self, step: AgentStep | None) -> None:
        with pytest.raises(AgentRefused, match="no agent of its own"):
            check_written(asked(), "judge", {} if step is None else {"judge": step})

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"instructions": "Pay c-1 with care."}, "something else"),
            ({"instructions": "Review c-1"}, "something else"),
            ({"tools": ("bank.pay",)}, "bank.pay"),
            ({"max_output_tokens": 5000}, "tokens"),
            ({"model": "fake/other", "step": "fixed"}, "fake/other"),
        ],
    )
    def test_is_refused_when_it_differs(self, changes: dict[str, object], said: str) -> None:
        fixed = WRITTEN.model_copy(update={"path": "fixed", "model": "fake/model"})
        call = asked(**{"instructions": "Review c-1 with care.", "tools": (), **changes})
        with pytest.raises(AgentRefused, match=said):
            check_written(call, call.step, {"judge": WRITTEN, "fixed": fixed})


class TestTemplate:
    @pytest.mark.parametrize(
        ("template", "text", "fits"),
        [
            ("plain", "plain", True),
            ("plain", "plain and more", False),
            ("a ${ x } b ${ y } c", "a 1 b 2 c", True),
            ("a ${ x } b ${ y } c", "a 1 2 c", False),
            ("a ${ x } b", "a ", False),
            ("ab${ x }ba", "aba", False),
            ("${ x }", "anything", True),
        ],
    )
    def test_is_found_in_what_was_made_of_it(self, template: str, text: str, *, fits: bool) -> None:
        assert rendered_from(template, text) is fits
