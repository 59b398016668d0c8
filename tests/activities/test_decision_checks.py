"""The live check of decisions: roles of now, votes handed over, substitutes, who may steer, and what has to fit a schema."""

import pytest
from pydantic import JsonValue

from activities.decision_checks import DecisionChecks
from activities.requests import DecisionRequest, FittingCheck
from domain.approval import Decision, attest
from domain.errors import StandfastError
from domain.principals import Principal, Role
from domain.substitutes import Represented
from tests.fakes_registry import FakeKeyStore

TENANT, RUN, SECRET = "acme", "run_1", b"s" * 32
REQUESTER = "prn_starter"


class Substitutes:
    """Who stands in for whom, by substitute."""

    def __init__(self, **whom: list[Represented]) -> None:
        self._whom = whom

    async def represented(self, tenant: str, substitute: str) -> list[Represented]:
        """Return them."""
        assert tenant == TENANT
        return self._whom.get(substitute, [])


async def checks(substitutes: Substitutes | None = None) -> tuple[DecisionChecks, FakeKeyStore]:
    """Build the checks over a few people."""
    keys = FakeKeyStore()
    people = {
        "ada": (Role.APPROVER, ("payer",)),
        "lea": (Role.APPROVER, ("lead", "payer")),
        "del": (Role.APPROVER, ()),
        "op": (Role.OPERATOR, ()),
        "eve": (Role.VIEWER, ("payer",)),
        REQUESTER: (Role.ADMIN, ("payer",)),
    }
    for who, (role, roles) in people.items():
        await keys.create(TENANT, key_id=who, secret_hmac=b"x", principal=who, name=who, role=role, reviewer_roles=roles)
    return DecisionChecks(keys=keys, attestation_key=SECRET, substitutes=substitutes), keys


def asking(verdict: str, who: str, *, content: dict[str, JsonValue] | None = None, **more: object) -> DecisionRequest:
    """Build a question about an attested decision on an approval that asks payers now, and leads later."""
    said = {"decision_id": "dec_1", "approval": "apr_1", "verdict": verdict, "digest": "d", "principal": who, "content": content}
    bare = Decision.model_validate(said)
    marked = bare.model_copy(update={"attestation": attest(SECRET, tenant=TENANT, run=RUN, decision=bare)})
    asked = {"asked": ["payer"], "roles": ["payer", "lead"], "lead_roles": ["lead"], "requester": REQUESTER, "exclude_requester": True}
    return DecisionRequest.model_validate({"decision": marked, "reviewer_role": "payer", **asked, **more})


async def answer(request: DecisionRequest, substitutes: Substitutes | None = None) -> dict[str, JsonValue] | str:
    """Return what is known, or the code of the refusal."""
    found = await (await checks(substitutes))[0].check(TENANT, RUN, request)
    return found.code if isinstance(found, StandfastError) else found


class TestReviewers:
    async def test_bring_every_role_that_the_rules_name(self) -> None:
        assert await answer(asking("approve", "lea")) == {"roles": ["payer", "lead"], "acting_for": None}

    @pytest.mark.parametrize("who", ["del", "eve", "op", "nobody", REQUESTER])
    @pytest.mark.parametrize("verdict", ["approve", "reject", "amend", "request_info"])
    async def test_are_nobody_else(self, who: str, verdict: str) -> None:
        assert await answer(asking(verdict, who)) == "forbidden"

    async def test_of_a_rung_that_is_not_reached_are_not_asked(self) -> None:
        assert await answer(asking("approve", "ada", asked=["lead"])) == "forbidden"

    async def test_may_be_requesters_where_that_is_allowed(self) -> None:
        assert await answer(asking("approve", REQUESTER, exclude_requester=False)) == {"roles": ["payer"], "acting_for": None}

    async def test_need_the_gateways_word_for_content_too(self) -> None:
        forged = asking("amend", "ada", content={"arguments": {"pay": {"amount": 1}}})
        assert forged.decision.content is not None
        forged.decision.content.arguments["pay"]["amount"] = 10**6
        assert await answer(forged) == "forbidden"


class TestHandedOverVotes:
    async def test_count_for_the_reviewer(self) -> None:
        assert await answer(asking("approve", "del", delegators=["ada"])) == {"roles": ["payer"], "acting_for": "ada"}

    async def test_are_worth_nothing_when_the_reviewer_has_lost_the_role(self) -> None:
        built, keys = await checks()
        await keys.set_reviewer_roles(TENANT, "ada", ())
        found = await built.check(TENANT, RUN, asking("approve", "del", delegators=["ada"]))
        assert isinstance(found, StandfastError)

    @pytest.mark.parametrize("delegator", ["eve", "nobody", REQUESTER, "del"])
    async def test_are_worth_nothing_of_somebody_who_may_not_decide(self, delegator: str) -> None:
        assert await answer(asking("approve", "del", delegators=[delegator])) == "forbidden"

    async def test_are_no_second_vote_of_who_has_given_theirs(self) -> None:
        assert await answer(asking("approve", "del", delegators=["ada"], voted=["ada"])) == "forbidden"

    @pytest.mark.parametrize(("to", "right"), [("del", True), ("op", False), ("nobody", False)])
    async def test_go_only_to_who_may_decide(self, to: str, *, right: bool) -> None:
        found = await answer(asking("delegate", "ada", content={"to": to}))
        assert isinstance(found, dict) == right


class TestSubstitutes:
    STANDS_IN = Represented(reviewer=Principal(id="ada", tenant=TENANT, role=Role.APPROVER, reviewer_roles=("payer",)))

    async def test_decide_in_the_reviewers_place(self) -> None:
        whom = Substitutes(**{"del": [self.STANDS_IN]})
        assert await answer(asking("approve", "del"), whom) == {"roles": ["payer"], "acting_for": "ada"}

    async def test_decide_no_more_when_the_reviewer_has_decided(self) -> None:
        whom = Substitutes(**{"del": [self.STANDS_IN]})
        assert await answer(asking("approve", "del", voted=["ada"]), whom) == "forbidden"

    async def test_are_of_no_use_to_the_requester(self) -> None:
        assert await answer(asking("approve", REQUESTER), Substitutes(**{REQUESTER: [self.STANDS_IN]})) == "forbidden"


class TestSteering:
    @pytest.mark.parametrize(
        ("verdict", "allowed"),
        [("extend", {"op", "lea", REQUESTER}), ("withdraw", {"op", REQUESTER}), ("give_info", {"op", REQUESTER})],
    )
    async def test_is_for_operators_requesters_and_leads(self, verdict: str, allowed: set[str]) -> None:
        for who in ("ada", "lea", "del", "op", "eve", REQUESTER):
            assert (await answer(asking(verdict, who)) == {}) == (who in allowed), who


class TestFitting:
    async def test_says_what_does_not_fit(self) -> None:
        schema: dict[str, JsonValue] = {"type": "object", "properties": {"amount": {"type": "integer", "maximum": 100}}}
        for amount, right in ((100, True), (101, False)):
            check = FittingCheck(what="the call", value={"amount": amount}, schema_of_it=schema)
            found = await answer(asking("amend", "ada", content={"arguments": {"pay": {"amount": amount}}}, fitting=[check]))
            assert (found != "invalid-input") == right
