"""Policies: the engine, the sets that come with the platform, and who decides calls by them."""

from activities.policy_decisions import PolicyDecisions
from adapters.policy.late_engine import LateEngine
from adapters.policy.shipped import ShippedSets
from domain.policy_sets import PolicyStore


def build_decider(store: PolicyStore) -> PolicyDecisions:
    """Return what decides every call of a worker."""
    return PolicyDecisions(store=store, shipped=ShippedSets(), engine=LateEngine())


def build_engine() -> LateEngine:
    """Return the engine alone, for checking and testing policies."""
    return LateEngine()


def shipped_sets() -> ShippedSets:
    """Return the sets that come with the platform."""
    return ShippedSets()
