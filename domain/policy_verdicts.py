"""From what a policy set says of a call to the verdict on it: the rules that hold whatever the set says. Pure.

A policy that could not be evaluated is no policy that did not apply: the call is denied. A permit counts for a call whose sensitive
arguments an untrusted source may have chosen only if the policy itself says so (`@untrusted("to, amount")`), or a person approves.
"""

from typing import Final

from domain.errors import StandfastError
from domain.labels import UNTRUSTED
from domain.policy import PolicyEngine, PolicyRequest, PolicyVerdict, Ruling, Rulings
from domain.policy_sets import PolicySet

REVIEWERS: Final = ("approver",)
"""The reviewer role that is asked where the deciding policies name none (`@reviewers("role")`)."""

ANY_ARGUMENT: Final = "*"


def decide(policies: PolicySet, request: PolicyRequest, engine: PolicyEngine) -> PolicyVerdict:
    """Return the verdict of a policy set on a call; whatever breaks is a denial."""
    try:
        rulings = engine.rule(policies.text, request)
    except StandfastError as error:
        return PolicyVerdict(effect="deny", reason=f"the policy set cannot be read: {error.detail}", policy_sha256=policies.sha256)
    return verdict_of(rulings, request, policies.sha256)


def verdict_of(rulings: Rulings, request: PolicyRequest, sha256: str) -> PolicyVerdict:
    """Return the verdict that two rulings come to."""
    now, steered = rulings.now, request.steered
    errors = now.errors or (() if request.approved else rulings.approved.errors)
    if errors:
        reason = f"a policy could not be evaluated, so nothing is permitted: {errors[0]}"
        return PolicyVerdict(effect="deny", reason=reason[:500], policy_sha256=sha256, steered=steered)
    if now.permitted and (request.approved or _declared(now, steered)):
        return _verdict("allow", f"permitted by {_names(now)}", now, sha256, steered)
    if not request.approved and rulings.approved.permitted:
        return _verdict("require_approval", _why_a_person(request, rulings, steered), rulings.approved, sha256, steered)
    reason = f"forbidden by {_names(now)}" if now.policies and not now.permitted else f"no policy permits {request.tool} here"
    return PolicyVerdict(effect="deny", reason=reason, policy_sha256=sha256, policies=list(now.policies), steered=steered)


def _declared(ruling: Ruling, steered: list[str]) -> bool:
    """Whether the policies that permit say of every steered argument that an untrusted source may choose it."""
    return ANY_ARGUMENT in ruling.untrusted or set(steered) <= set(ruling.untrusted)


def _verdict(effect: str, reason: str, ruling: Ruling, sha256: str, steered: list[str]) -> PolicyVerdict:
    reviewers = list(ruling.reviewers or REVIEWERS) if effect == "require_approval" else []
    told = {"effect": effect, "reason": reason, "reviewers": reviewers, "policies": list(ruling.policies)}
    return PolicyVerdict.model_validate({**told, "policy_sha256": sha256, "steered": steered})


def _why_a_person(request: PolicyRequest, rulings: Rulings, steered: list[str]) -> str:
    labels = {label for name in steered for label in request.labels.get(name, request.taint)}
    sources = ", ".join(sorted(UNTRUSTED & labels))
    chosen = f"an untrusted source ({sources}) may have chosen {', '.join(steered)}"
    if rulings.now.permitted:
        return f"{chosen}, so a person decides"
    permitted = f"permitted by {_names(rulings.approved)} once a person approves this call"
    return f"{permitted}; {chosen}" if steered else permitted


def _names(ruling: Ruling) -> str:
    return ", ".join(ruling.policies) or "the policy set"
