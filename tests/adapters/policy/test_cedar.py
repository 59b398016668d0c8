"""The Cedar engine: the shipped set, what tenants write, and text that was written to do harm."""

import subprocess
import sys
import textwrap

import pytest

from adapters.policy.cedar import CedarEngine
from adapters.policy.shipped import ShippedSets
from domain.labels import Label
from tests.policy_calls import SHIPPED, asked, decided

SMALL = """
@id("small-sums") @untrusted("to, amount") @reviewers("payer")
permit (principal in Definition::"claims", action == Action::"money", resource in Toolbox::"bank")
when { context.number.hasTag("amount") && context.number.getTag("amount") <= 100 };
@id("with-a-person") @reviewers("payer, lead")
permit (principal, action in Action::"call", resource) when { context.approved };
"""
DIRTY: list[Label] = ["tool:untrusted"]


class TestShippedSet:
    def test_is_right(self) -> None:
        assert CedarEngine().check(SHIPPED.text) == []
        assert ShippedSets().newest == "1.0.0"

    def test_never_changes_once_released(self) -> None:
        assert SHIPPED.sha256 == "00e20140786fe69ff229334e91a441c5369fce7c5a7b14ad012f2efa7400a64f"

    @pytest.mark.parametrize(
        ("origin", "effect", "verdict"),
        [
            ("agent", "none", "allow"),
            ("agent", "read", "allow"),
            ("agent", "write", "require_approval"),
            ("agent", "money", "require_approval"),
            ("call", "read", "allow"),
            ("call", "money", "allow"),
            ("undo", "money", "allow"),
        ],
    )
    def test_lets_definitions_act_and_agents_ask(self, origin: str, effect: str, verdict: str) -> None:
        assert decided(asked(origin=origin, effect_class=effect)).effect == verdict

    @pytest.mark.parametrize("origin", ["agent", "call"])
    @pytest.mark.parametrize("effect", ["read", "write", "money"])
    def test_lets_no_untrusted_source_choose_a_target(self, origin: str, effect: str) -> None:
        assert decided(asked(origin=origin, effect_class=effect, taint=DIRTY)).effect == "require_approval"
        assert decided(asked(origin=origin, effect_class=effect, taint=DIRTY, approved=True)).effect == "allow"

    def test_says_which_policy_decides(self) -> None:
        assert decided(asked()).policies == ["agent-changes-with-a-person"]


class TestTenantsPolicies:
    def test_may_look_at_arguments(self) -> None:
        assert decided(asked(), SMALL).effect == "allow"
        more = decided(asked(arguments={"to": "DE01", "amount": 101}), SMALL)
        assert (more.effect, more.reviewers) == ("require_approval", ["payer", "lead"])

    def test_may_let_an_untrusted_source_choose_within_bounds(self) -> None:
        assert decided(asked(taint=DIRTY, sensitive=["to", "amount"]), SMALL).effect == "allow"

    def test_may_look_at_labels_texts_and_people(self) -> None:
        text = """@id("p") permit (principal, action, resource) when {
          !context.sources.contains("mcp") && context.text.hasTag("to") && context.text.getTag("to") like "DE*" &&
          context.roles.contains("lead") && context.user == "prn_1" && context.origin == "agent" && resource.kind == "builtin" };"""
        assert CedarEngine().check(text) == []
        assert decided(asked(roles=["lead"]), text).effect == "allow"
        assert decided(asked(roles=["lead"], taint=["mcp"]), text).effect == "deny"

    def test_forbid_whatever_else_permits(self) -> None:
        text = SMALL + '@id("never") forbid (principal, action, resource == Tool::"bank.pay");'
        verdict = decided(asked(approved=True), text)
        assert (verdict.effect, verdict.policies) == ("deny", ["never"])

    def test_that_are_empty_permit_nothing(self) -> None:
        assert decided(asked(effect_class="none"), "").effect == "deny"

    def test_that_fail_on_a_call_deny_it(self) -> None:
        text = """@id("a") permit (principal, action, resource);
          @id("b") forbid (principal, action, resource) when { context.number.getTag("limit") > 1 };"""
        verdict = decided(asked(), text)
        assert verdict.effect == "deny"
        assert "`b`" in verdict.reason

    def test_follow_a_registered_agent_into_every_definition(self) -> None:
        text = '@id("a") permit (principal in RegisteredAgent::"claim-reviewer", action, resource);'
        assert CedarEngine().check(text) == []
        for definition in ("claims", "refunds"):
            effects = [decided(asked(definition=definition, registered=name), text).effect for name in ("claim-reviewer", "another", None)]
            assert effects == ["allow", "deny", "deny"]

    def test_see_no_number_that_is_none_of_theirs(self) -> None:
        for amount in (2**63, -(2**63), 5.5, "5", True, None):
            assert decided(asked(arguments={"to": "DE01", "amount": amount}), SMALL).effect == "require_approval"

    def test_see_names_as_they_are(self) -> None:
        odd = 'x" || true || "\n\u202e'
        text = '@id("a") permit (principal, action, resource) when { context.user == "prn_1" && context.text.getTag("to") == "DE01" };'
        assert decided(asked(principal=odd), text).effect == "deny"
        assert decided(asked(agent=odd, definition=odd, step=odd, arguments={"to": odd, odd: "DE01"}), text).effect == "deny"


class TestRecall:
    """What was asked before is not put to Cedar again; what the policies cannot read makes no difference."""

    @pytest.mark.parametrize("origin", ["agent", "call", "undo"])
    @pytest.mark.parametrize("approved", [False, True])
    def test_says_what_the_policies_said(self, origin: str, *, approved: bool) -> None:
        engine, request = CedarEngine(), asked(origin=origin, approved=approved)
        assert engine.recall(SHIPPED.text, request) is None
        assert engine.rule(SHIPPED.text, request) == engine.recall(SHIPPED.text, request)

    def test_knows_a_call_with_other_arguments_where_no_policy_reads_them(self) -> None:
        engine, other = CedarEngine(), asked(arguments={"to": "FR02", "amount": 10**9})
        known = engine.rule(SHIPPED.text, asked())
        assert engine.recall(SHIPPED.text, other) == known == CedarEngine().rule(SHIPPED.text, other)

    def test_knows_nothing_where_a_policy_reads_arguments(self) -> None:
        engine = CedarEngine()
        assert engine.rule(SMALL, asked()).now.permitted
        assert engine.recall(SMALL, asked()) is None
        assert not engine.rule(SMALL, asked(arguments={"to": "DE01", "amount": 101})).now.permitted

    @pytest.mark.parametrize(
        "other",
        [
            {"tool": "bank.refund"},
            {"version": "1.0.1"},
            {"kind": "mcp"},
            {"effect_class": "write"},
            {"definition": "loans"},
            {"step": "decide"},
            {"origin": "call"},
            {"registered": "clerk"},
            {"principal": "prn_2"},
            {"roles": ["payer"]},
            {"taint": DIRTY},
            {"approved": True},
        ],
    )
    def test_knows_no_call_that_a_policy_could_tell_apart(self, other: dict[str, object]) -> None:
        engine = CedarEngine()
        engine.rule(SHIPPED.text, asked())
        assert engine.recall(SHIPPED.text, asked(**other)) is None
        assert engine.recall(SHIPPED.text + "\n", asked()) is None

    def test_forgets_before_it_grows_without_bound(self) -> None:
        engine = CedarEngine(kept=2)
        for number in range(2):
            engine.rule(SHIPPED.text, asked(principal=f"prn_{number}"))
        assert engine.recall(SHIPPED.text, asked(principal="prn_0")) is not None
        engine.rule(SHIPPED.text, asked(principal="prn_new"))
        assert engine.recall(SHIPPED.text, asked(principal="prn_0")) is None

    def test_keeps_no_long_question(self) -> None:
        engine, request = CedarEngine(), asked(roles=[f"role-{number}" for number in range(1000)])
        engine.rule(SHIPPED.text, request)
        assert engine.recall(SHIPPED.text, request) is None


class TestCheck:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("permit(principal", "no Cedar policies"),
            ("permit(principal, action, resource);", "has no name"),
            ('@id("a") permit(principal, action, resource) when { context.aproved };', "`aproved`"),
            ('@id("a") permit(principal == User::"x", action, resource);', "User"),
            ('@id("a") permit(principal, action == Action::"pay", resource);', "pay"),
            ('@id("a") permit(principal, action, resource) when { context.number.getTag("x") > 1 };', "safety of access"),
            ('@id("a") permit(principal == ?principal, action, resource);', "template"),
            ('@id("a") @reviewer("x") permit(principal, action, resource);', "nobody reads @reviewer"),
            ('@id("a") @untrusted("to") forbid(principal, action, resource);', "say nothing"),
            ('@id("a") permit(principal, action, resource); @id("a") permit(principal, action, resource);', "two policies are called a"),
        ],
    )
    def test_says_what_is_wrong(self, text: str, told: str) -> None:
        assert any(told in problem for problem in CedarEngine().check(text)), CedarEngine().check(text)

    def test_finds_nothing_wrong_with_right_policies(self) -> None:
        assert CedarEngine().check(SMALL) == []


HOSTILE = {
    "sums": "1+" * 50_000 + "1 > 0",
    "ands": "context.approved && " * 15_000 + "true",
    "ifs": "if true then true else " * 9_000 + "true",
    "brackets": "(" * 20_000 + "true" + ")" * 20_000,
    "dots": "context" + ".a" * 50_000,
    "nots": "!" * 50_000 + "true",
    "sets": "[" * 20_000 + "]" * 20_000 + " == []",
}


class TestHostileText:
    @pytest.mark.parametrize("kind", HOSTILE)
    def test_is_refused_and_decides_nothing(self, kind: str) -> None:
        text = f'@id("a") permit (principal, action, resource) when {{ {HOSTILE[kind]} }};'
        assert CedarEngine().check(text)
        assert decided(asked(), text).effect == "deny"

    def test_hidden_behind_texts_and_comments_is_counted_all_the_same(self) -> None:
        text = '@id("a;{") // "\npermit (principal, action, resource) when { "(" == "(" || ' + "1+" * 50_000 + "1 > 0 };"
        assert "operators" in CedarEngine().check(text)[0]

    def test_would_end_the_process_without_the_bound(self) -> None:
        """The control: the same text, handed to the library as it is, kills a process of its own."""
        program = textwrap.dedent("""
            import cedarpy
            cedarpy.policies_to_json_str('@id("a") permit (principal, action, resource) when { ' + '1+' * 50000 + '1 > 0 };')
        """)
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
        assert ended.returncode < 0

    def test_that_is_long_and_flat_is_read(self) -> None:
        wanted = ", ".join(f'Tool::"t.n{number}"' for number in range(2000))
        assert CedarEngine().check(f'@id("a") permit (principal, action, resource) when {{ [{wanted}].contains(resource) }};') == []
