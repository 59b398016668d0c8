"""A call that carries nothing for policy counts as chosen by anybody."""

import pytest

from activities.policy_checks import permit
from activities.policy_decisions import PolicyDecisions
from activities.requests import ToolRequest
from adapters.policy.cedar import CedarEngine
from adapters.policy.shipped import ShippedSets
from domain.effects import EffectClass, RetryClass
from domain.errors import ApprovalRequired
from domain.policy import PolicyVerdict
from tests.activities.bench import envelope
from tests.fakes_policies import FakePolicyStore

CALL = ToolRequest(tool="bank.pay", version="1.0.0", effect_class=EffectClass.MONEY, retry_class=RetryClass.IDEMPOTENT)


async def asked(*, approved: bool = False, amount: str = "to") -> PolicyVerdict:
    """Ask about a call of a tool that guards its recipient."""
    decider = PolicyDecisions(store=FakePolicyStore(), shipped=ShippedSets(), engine=CedarEngine())
    return await permit(decider, envelope(), CALL, {amount: "DE01"}, roles=(), approved=approved, guarded=("to",))


class TestCallWithoutLabels:
    async def test_needs_a_person_for_what_chooses_a_target(self) -> None:
        with pytest.raises(ApprovalRequired, match=r"an untrusted source .* may have chosen to"):
            await asked()

    async def test_is_made_once_it_was_approved_or_chooses_nothing(self) -> None:
        assert (await asked(approved=True)).effect == "allow"
        assert (await asked(amount="note")).effect == "allow"
