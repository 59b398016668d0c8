"""Registered agents whose models are words: what a run keeps of them, and what a version is known by."""

import pytest

from domain.capabilities import Capabilities
from domain.errors import AgentRefused
from domain.fallbacks import FALLBACKS_MAX, Fallback
from domain.model_table import ModelAlias, ModelTable
from domain.pinned_agents import PinnedAgent, pinned_agent
from domain.resolved_models import resolved_agent
from tests.domain.agent_samples import manifest, registered

FAST = ModelAlias(model="fake/fast", fallbacks=(Fallback(model="fake/slow", on=("overload",)),))
TABLE = ModelTable(
    aliases={"fast": FAST, "default": ModelAlias(model="fake/usual")},
    capabilities={"fake/plain": Capabilities(temperature=False)},
    complete=True,
)


def agent(**said: object) -> PinnedAgent:
    """Build what a run would hold of an agent that says this."""
    return pinned_agent(registered(manifest(**said)))  # pyright: ignore[reportArgumentType] - the manifest checks it


class TestResolvedAgent:
    def test_keeps_a_model_as_it_is(self) -> None:
        assert resolved_agent(agent(), TABLE) == agent()

    def test_has_what_its_word_stands_for_and_the_chain_behind_it(self) -> None:
        resolved = resolved_agent(agent(model="fast", fallbacks=[{"model": "default", "on": ["refusal"]}, {"model": "fake/last"}]), TABLE)
        assert resolved.model == "fake/fast"
        assert [(one.model, one.on) for one in resolved.fallbacks] == [
            ("fake/slow", ("overload",)),
            ("fake/usual", ("refusal",)),
            ("fake/last", ("overload", "refusal")),
        ]

    def test_has_no_longer_chain_than_a_step_may_have(self) -> None:
        resolved = resolved_agent(agent(model="fast", fallbacks=[{"model": "fake/more"}] * FALLBACKS_MAX), TABLE)
        assert len(resolved.fallbacks) == FALLBACKS_MAX

    def test_is_refused_when_a_word_stands_for_nothing_any_more(self) -> None:
        with pytest.raises(AgentRefused, match=r"`fats`, which is no alias that is set: `fast`"):
            resolved_agent(agent(model="fats"), TABLE)

    def test_is_refused_when_a_model_behind_its_word_cannot_do_what_it_asks(self) -> None:
        plain = TABLE.with_tenant({"fast": ModelAlias(model="fake/plain")})
        with pytest.raises(AgentRefused, match=r"`fake/plain` takes no temperature"):
            resolved_agent(agent(model="fast", temperature=0.2), plain)


class TestVersion:
    def test_keeps_its_digest_when_it_says_nothing_of_its_models(self) -> None:
        assert not {"fallbacks", "max_call_usd_micros", "temperature", "parallel_tools"} & manifest().model_dump(mode="json").keys()

    @pytest.mark.parametrize(
        "said", [{"fallbacks": [{"model": "a/b"}]}, {"max_call_usd_micros": 5}, {"temperature": 0.0}, {"parallel_tools": False}]
    )
    def test_is_another_one_when_it_does(self, said: dict[str, object]) -> None:
        made = manifest(**said)  # pyright: ignore[reportArgumentType] - the manifest checks it
        assert made.sha256() != manifest().sha256()
        assert type(made).model_validate(made.model_dump(mode="json")) == made
