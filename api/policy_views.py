"""JSON shapes of policy sets, their tests, and what policy says of an imagined call; and what their routes need."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Path
from pydantic import Field

from domain.model import Value
from domain.policy import PolicyEngine
from domain.policy_sets import ImaginedCall, PolicyCase, PolicySetDraft, PolicyStore, ShippedPolicies, StoredPolicySet

SHIPPED = "shipped"
"""Stands for the set that comes with the platform, where a version is named."""

VersionInPath = Annotated[str, Path(pattern=r"^([0-9]+\.[0-9]+\.[0-9]+|shipped)$")]


@dataclass(frozen=True, kw_only=True)
class PolicyDeps:
    """The ports."""

    store: PolicyStore
    shipped: ShippedPolicies
    engine: PolicyEngine


class PolicySetBody(PolicySetDraft):
    """A set to register: its `tests` must pass, and with `activate` it decides from then on."""

    tests: Annotated[tuple[PolicyCase, ...], Field(max_length=500)] = ()
    activate: bool = False


class PolicyListView(Value):
    """A tenant's sets, newest first; `deciding` is the version that decides, and `sha256` the hash that ledger entries name it by."""

    items: tuple[StoredPolicySet, ...]
    deciding: str
    sha256: str
    shipped: str


class PolicySetView(Value):
    """A set with its whole text, the shipped part included."""

    version: str
    text: str
    sha256: str
    extends: str | None = None
    comment: str = ""
    created_by: str | None = None
    created_at: str | None = None
    active: bool = False


class ExplainBody(Value):
    """A call to be decided; by the set that decides now, unless a `version` or `shipped` is named."""

    call: ImaginedCall
    version: Annotated[str, Field(pattern=r"^([0-9]+\.[0-9]+\.[0-9]+|shipped)$")] | None = None
