"""The rules that hold whatever a policy set says: default deny, errors deny, untrusted values need a person or a declared allow."""

import pytest

from domain.errors import InvalidInput
from domain.labels import Label
from domain.policy import PolicyRequest, PolicyVerdict, Ruling, Rulings
from domain.policy_verdicts import decide, verdict_of
from tests.policy_calls import FakeEngine, asked, policies

NO = Ruling(permitted=False)
YES = Ruling(permitted=True, policies=("p",))
STEERED: list[Label] = ["model", "tool:untrusted"]


def judged(now: Ruling, once_approved: Ruling = NO, **more: object) -> PolicyVerdict:
    """Return the verdict on a call, with two rulings."""
    return verdict_of(Rulings(now=now, approved=once_approved), asked(**more), "sha")


class TestVerdict:
    def test_denies_what_no_policy_permits(self) -> None:
        verdict = judged(NO)
        assert (verdict.effect, verdict.reason, verdict.policy_sha256) == ("deny", "no policy permits bank.pay here", "sha")

    def test_denies_what_a_policy_forbids_and_names_it(self) -> None:
        verdict = judged(Ruling(permitted=False, policies=("never",)))
        assert (verdict.effect, verdict.reason, verdict.policies) == ("deny", "forbidden by never", ["never"])

    def test_allows_what_a_policy_permits(self) -> None:
        assert judged(YES).effect == "allow"

    def test_asks_the_named_reviewers_where_only_an_approved_call_is_permitted(self) -> None:
        verdict = judged(NO, Ruling(permitted=True, policies=("p",), reviewers=("payer", "lead")))
        assert (verdict.effect, verdict.reviewers) == ("require_approval", ["payer", "lead"])
        assert "permitted by p once a person approves" in verdict.reason

    def test_asks_an_approver_where_the_policy_names_nobody(self) -> None:
        assert judged(NO, YES).reviewers == ["approver"]

    @pytest.mark.parametrize("where", ["now", "approved"])
    def test_denies_when_any_policy_could_not_be_evaluated(self, where: str) -> None:
        broken = YES.model_copy(update={"errors": ("no such tag",)})
        verdict = judged(broken, YES) if where == "now" else judged(YES, broken)
        assert verdict.effect == "deny"
        assert "no such tag" in verdict.reason

    def test_denies_an_approved_call_that_is_not_permitted(self) -> None:
        assert judged(NO, NO, approved=True).effect == "deny"

    def test_looks_at_one_ruling_only_of_an_approved_call(self) -> None:
        assert judged(YES, Ruling(permitted=False, errors=("x",)), approved=True).effect == "allow"


class TestUntrustedValue:
    def test_needs_a_person_although_a_policy_permits_the_call(self) -> None:
        verdict = judged(YES, YES, taint=STEERED)
        assert (verdict.effect, verdict.steered) == ("require_approval", ["to"])
        assert verdict.reason == "an untrusted source (tool:untrusted) may have chosen to, so a person decides"

    def test_is_denied_where_a_person_could_not_permit_it_either(self) -> None:
        assert judged(YES, NO, taint=STEERED).effect == "deny"

    def test_passes_once_a_person_has_approved_the_call(self) -> None:
        assert judged(YES, approved=True, taint=STEERED).effect == "allow"

    @pytest.mark.parametrize("names", [("to",), ("*",), ("x", "to")])
    def test_passes_where_the_policy_lets_that_argument_be_chosen(self, names: tuple[str, ...]) -> None:
        assert judged(YES.model_copy(update={"untrusted": names}), taint=STEERED).effect == "allow"

    def test_needs_every_steered_argument_to_be_declared(self) -> None:
        declared = YES.model_copy(update={"untrusted": ("to",)})
        assert judged(declared, YES, taint=STEERED, sensitive=["to", "amount"]).effect == "require_approval"

    def test_counts_only_in_arguments_that_are_sensitive_and_given(self) -> None:
        assert judged(YES, taint=STEERED, sensitive=["iban"]).effect == "allow"

    def test_is_told_by_its_own_labels_and_not_its_surroundings(self) -> None:
        assert judged(YES, taint=STEERED, labels={"to": ["user"]}).effect == "allow"
        assert judged(YES, taint=["user"], labels={"to": ["signal"]}).steered == ["to"]

    @pytest.mark.parametrize("label", ["tool:untrusted", "memory", "mcp", "signal"])
    def test_may_come_from_any_untrusted_source(self, label: Label) -> None:
        assert judged(YES, labels={"to": ["user", label]}).steered == ["to"]

    @pytest.mark.parametrize("label", ["user", "definition", "model", "tool:trusted"])
    def test_does_not_come_from_a_trusted_one(self, label: Label) -> None:
        assert judged(YES, labels={"to": [label]}).steered == []

    def test_is_found_inside_lists(self) -> None:
        request = asked(arguments={"items": [{"to": "a"}, {"to": "b"}]}, sensitive=["items.to"], taint=STEERED)
        assert request.steered == ["items.to"]


class TestDecide:
    def test_denies_when_the_set_cannot_be_read(self) -> None:
        verdict = decide(policies("x"), asked(), FakeEngine(InvalidInput("not Cedar")))
        assert (verdict.effect, verdict.transient) == ("deny", False)
        assert "not Cedar" in verdict.reason

    def test_names_the_hash_of_the_set(self) -> None:
        assert decide(policies("x"), asked(), FakeEngine(YES)).policy_sha256 == policies("x").sha256


def test_a_request_of_before_keeps_its_defaults() -> None:
    bare = {"tenant": "t", "origin": "call", "tool": "a.b", "version": "1.0.0", "effect_class": "read"}
    assert PolicyRequest.model_validate(bare).steered == []
