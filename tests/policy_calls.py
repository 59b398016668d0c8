"""Calls, rulings and policy sets for tests of policies."""

from adapters.policy.cedar import CedarEngine
from adapters.policy.shipped import ShippedSets
from domain.errors import InvalidInput
from domain.policy import PolicyRequest, PolicyVerdict, Ruling, Rulings
from domain.policy_sets import PolicySet, policy_sha256, shipped_set
from domain.policy_verdicts import decide

SHIPPED = shipped_set(ShippedSets())


def asked(**more: object) -> PolicyRequest:
    """Build an agent's call that pays somebody."""
    plain: dict[str, object] = {
        "tenant": "acme",
        "run": "run_1",
        "definition": "claims",
        "step": "review",
        "origin": "agent",
        "principal": "prn_1",
        "tool": "bank.pay",
        "version": "1.0.0",
        "effect_class": "money",
        "arguments": {"to": "DE01", "amount": 5},
        "sensitive": ["to"],
    }
    return PolicyRequest.model_validate({**plain, **more})


def policies(text: str) -> PolicySet:
    """Build a set of these policies alone."""
    return PolicySet(version="1.0.0", text=text, sha256=policy_sha256(text))


def decided(request: PolicyRequest, text: str | None = None) -> PolicyVerdict:
    """Return what the real engine says of a call, by the shipped set or by these policies alone."""
    return decide(SHIPPED if text is None else policies(text), request, CedarEngine())


class FakeEngine:
    """A `PolicyEngine` that gives a fixed ruling, or breaks."""

    def __init__(self, now: Ruling | Exception, approved: Ruling | None = None) -> None:
        self._now = now
        self._approved = approved
        self.asked: list[PolicyRequest] = []

    def check(self, policies: str) -> list[str]:
        """Find fault with an empty set only."""
        return [] if policies.strip() else ["there are no policies"]

    def rule(self, policies: str, request: PolicyRequest) -> Rulings:
        """Return the fixed ruling."""
        self.asked.append(request)
        if isinstance(self._now, Exception):
            raise self._now
        if not policies:
            raise InvalidInput("there are no policies")
        return Rulings(now=self._now, approved=self._approved or self._now)

    def recall(self, policies: str, request: PolicyRequest) -> Rulings | None:
        """Know nothing of before."""
        del policies, request
        return None
