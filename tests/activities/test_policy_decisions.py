"""Decisions fail closed (PROOF B31): on errors, timeouts, a missing set, a set that was tampered with; each names its set."""

import asyncio
import threading
from datetime import timedelta

import pytest

from activities.policy_decisions import PolicyDecisions
from adapters.policy.cedar import CedarEngine
from adapters.policy.shipped import ShippedSets
from domain.errors import InvalidInput
from domain.policy import PolicyEngine, PolicyRequest, Ruling, Rulings
from domain.policy_sets import PolicySetDraft, resolved
from tests.fakes_policies import FakePolicyStore
from tests.policy_calls import SHIPPED, FakeEngine, asked

OPEN = '@id("all") permit (principal, action, resource);'
YES = Ruling(permitted=True, policies=("all",))


def decisions(store: FakePolicyStore, engine: PolicyEngine | None = None, *, seconds: float = 5) -> PolicyDecisions:
    """Build what decides."""
    return PolicyDecisions(store=store, shipped=ShippedSets(), engine=engine or CedarEngine(), timeout=timedelta(seconds=seconds))


async def chosen(text: str, **change: object) -> FakePolicyStore:
    """Build a store in which a set decides, changed behind the platform's back."""
    store, draft = FakePolicyStore(), PolicySetDraft(version="1.0.0", cedar=text)
    await store.add("acme", draft, sha256=resolved(draft, ShippedSets()).sha256, by="prn_1")
    await store.choose("acme", "1.0.0", by="prn_1")
    store.kept["acme"]["1.0.0"] = store.kept["acme"]["1.0.0"].model_copy(update=change)
    return store


class SlowEngine:
    """An engine that does not come back in time."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def check(self, policies: str) -> list[str]:
        """Find nothing."""
        del policies
        return []

    def rule(self, policies: str, request: PolicyRequest) -> Rulings:
        """Wait."""
        del policies, request
        self.released.wait(10)
        return Rulings(now=YES, approved=YES)

    def recall(self, policies: str, request: PolicyRequest) -> Rulings | None:
        """Know nothing of before."""
        del policies, request
        return None


class TestDecision:
    async def test_is_by_the_shipped_set_without_a_choice(self) -> None:
        verdict = await decisions(FakePolicyStore()).decide(asked(effect_class="read"))
        assert (verdict.effect, verdict.policy_sha256) == ("allow", SHIPPED.sha256)

    async def test_is_by_the_chosen_set_as_it_is_now(self) -> None:
        store = await chosen(OPEN)
        made = decisions(store)
        assert (await made.decide(asked())).effect == "allow"
        await store.choose("acme", None, by="prn_1")
        async with asyncio.timeout(5):
            while (await made.decide(asked())).effect == "allow":
                await asyncio.sleep(0.01)  # the choice that was read counts for 50 ms more
        assert (await made.decide(asked())).effect == "require_approval"

    async def test_is_no_when_the_chosen_set_is_missing(self) -> None:
        store = FakePolicyStore(choices={"acme": "1.0.0"})
        verdict = await decisions(store).decide(asked(effect_class="none"))
        assert (verdict.effect, verdict.transient) == ("deny", False)

    @pytest.mark.parametrize("change", [{"cedar": OPEN + " "}, {"sha256": "0" * 64}, {"extends": "1.0.0"}, {"extends": "9.9.9"}])
    async def test_is_no_when_the_set_is_not_what_was_registered(self, change: dict[str, object]) -> None:
        assert (await decisions(await chosen(OPEN, **change)).decide(asked())).effect == "deny"

    async def test_is_no_for_now_while_the_sets_cannot_be_read(self) -> None:
        verdict = await decisions(FakePolicyStore(away=True)).decide(asked())
        assert (verdict.effect, verdict.transient) == ("deny", True)

    async def test_is_no_for_now_when_it_takes_too_long(self) -> None:
        engine = SlowEngine()
        verdict = await decisions(FakePolicyStore(), engine, seconds=0.05).decide(asked())
        engine.released.set()
        assert (verdict.effect, verdict.transient) == ("deny", True)

    @pytest.mark.parametrize("error", [InvalidInput("x"), RuntimeError("x"), MemoryError(), RecursionError(), KeyError("x")])
    async def test_is_no_when_the_engine_breaks(self, error: Exception) -> None:
        verdict = await decisions(FakePolicyStore(), FakeEngine(error)).decide(asked())
        assert (verdict.effect, verdict.transient) == ("deny", False)

    async def test_is_quick(self) -> None:
        """The limit is 100 ms (PROOF B31); `make bench` measures."""
        made = decisions(FakePolicyStore())
        await made.decide(asked())
        assert (await made.decide(asked())).effect == "require_approval"
