"""Policy sets of a tenant: text, version, hash, and the port that keeps them. Pure.

A set usually extends the set that is shipped with the platform: its own policies are added to that one's. Without a set of its own a
tenant has the shipped one. Which version decides is the tenant's choice; a choice whose set is missing, or is not what its hash says,
permits nothing.
"""

from functools import lru_cache
from typing import Final, Protocol

from pydantic import Field, JsonValue

from domain.canonical import digest_hex
from domain.effects import EffectClass
from domain.errors import InvalidInput
from domain.labels import Label
from domain.model import Value
from domain.policy import Origin, PolicyEffect, PolicyRequest, PolicyVerdict
from domain.tools import TOOL_NAME

POLICY_BYTES_MAX: Final = 256 * 1024
"""Largest text of one set."""
SETS_MAX: Final = 500
"""Most versions that one tenant keeps: every one of them stays readable, since entries of the ledger name it by its hash."""


class PolicySet(Value):
    """The policies that decide: the whole text, the shipped part included."""

    version: str
    text: str
    sha256: str


class PolicySetDraft(Value):
    """A set as a person hands it in. `extends` is the version of the shipped set whose policies it keeps, None for none of them."""

    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    cedar: str = Field(max_length=POLICY_BYTES_MAX)
    extends: str | None = None
    comment: str = Field(default="", max_length=500)


class StoredPolicySet(PolicySetDraft):
    """A registered set; `created_at` is RFC 3339 UTC, `active` says that it decides now."""

    sha256: str
    created_by: str
    created_at: str
    active: bool = False


@lru_cache(maxsize=64)
def policy_sha256(text: str) -> str:
    """Return the hash that verdicts and ledger entries name a policy set by (hex SHA-256 over its whole text)."""
    return digest_hex("standfast:policy:v1", {"text": text})


def whole_text(cedar: str, shipped: str | None) -> str:
    """Return the text that decides: the shipped policies, if the set keeps them, then its own."""
    return cedar if shipped is None else f"{shipped.rstrip()}\n\n{cedar}"


class ShippedPolicies(Protocol):
    """The sets that come with the platform, by version."""

    @property
    def newest(self) -> str:
        """The version that tenants without a set of their own have."""
        ...

    def text(self, version: str) -> str | None:
        """Return a shipped set's text, None if this version of the platform has none such."""
        ...


def resolved(draft: PolicySetDraft, shipped: ShippedPolicies) -> PolicySet:
    """Return the set that a draft makes.

    Raises:
        InvalidInput: it extends a set that is not shipped.
    """
    base = None if draft.extends is None else shipped.text(draft.extends)
    if draft.extends is not None and base is None:
        raise InvalidInput(f"there is no shipped policy set {draft.extends}; the newest is {shipped.newest}", where="extends")
    text = whole_text(draft.cedar, base)
    return PolicySet(version=draft.version, text=text, sha256=policy_sha256(text))


def shipped_set(shipped: ShippedPolicies) -> PolicySet:
    """Return the set of a tenant that has none of its own."""
    text = shipped.text(shipped.newest) or ""
    return PolicySet(version=f"shipped-{shipped.newest}", text=text, sha256=policy_sha256(text))


class ImaginedCall(Value):
    """A call as a person imagines it, to be told what policy says of it. `untrusted` are the arguments that an untrusted source chose.

    `registered` is the name of the registered agent that asks, if one does.
    """

    tool: str = Field(pattern=TOOL_NAME)
    version: str = "1.0.0"
    effect_class: EffectClass
    kind: str = "builtin"
    origin: Origin = "agent"
    definition: str = ""
    step: str = ""
    registered: str | None = None
    principal: str = ""
    roles: tuple[str, ...] = ()
    arguments: dict[str, JsonValue] = {}
    untrusted: tuple[str, ...] = ()
    sources: tuple[Label, ...] = ()
    approved: bool = False

    def request(self, tenant: str) -> PolicyRequest:
        """Return it as policy is asked."""
        chosen: list[Label] = ["tool:untrusted"]
        return PolicyRequest(
            tenant=tenant,
            definition=self.definition,
            step=self.step,
            origin=self.origin,
            registered=self.registered,
            principal=self.principal,
            roles=list(self.roles),
            tool=self.tool,
            version=self.version,
            kind=self.kind,
            effect_class=self.effect_class,
            arguments=self.arguments,
            sensitive=list(self.untrusted),
            labels=dict.fromkeys(self.untrusted, chosen),
            taint=list(self.sources),
            approved=self.approved,
        )


class PolicyCase(Value):
    """One test of a policy set: a call, the verdict it must get and, if given, the policies that must decide it."""

    name: str
    call: ImaginedCall
    expect: PolicyEffect
    by: tuple[str, ...] | None = None
    reviewers: tuple[str, ...] | None = None


class PolicyCaseResult(Value):
    """How a test ended; `problem` is None when it passed."""

    name: str
    verdict: PolicyVerdict
    problem: str | None = None


def judged(case: PolicyCase, verdict: PolicyVerdict) -> PolicyCaseResult:
    """Compare a verdict with what a test expects."""
    problem = None
    if verdict.effect != case.expect:
        problem = f"expected {case.expect}, got {verdict.effect}: {verdict.reason}"
    elif case.by is not None and set(case.by) != set(verdict.policies):
        problem = f"expected the policies {', '.join(case.by)} to decide, but {', '.join(verdict.policies) or 'none'} did"
    elif case.reviewers is not None and list(case.reviewers) != verdict.reviewers:
        problem = f"expected the reviewers {', '.join(case.reviewers)}, got {', '.join(verdict.reviewers) or 'none'}"
    return PolicyCaseResult(name=case.name, verdict=verdict, problem=problem)


class PolicyStore(Protocol):
    """The policy sets of tenants."""

    async def add(self, tenant: str, draft: PolicySetDraft, *, sha256: str, by: str) -> StoredPolicySet:
        """Keep a version; the same one with the same hash again changes nothing.

        Raises:
            VersionExists: the tenant has that version with other policies.
        """
        ...

    async def sets(self, tenant: str) -> list[StoredPolicySet]:
        """Return every version, newest first."""
        ...

    async def get(self, tenant: str, version: str) -> StoredPolicySet:
        """Return one version.

        Raises:
            NotFound: the tenant has no such version.
        """
        ...

    async def choose(self, tenant: str, version: str | None, *, by: str) -> None:
        """Let a version decide from now on; None lets the shipped set decide.

        Raises:
            NotFound: the tenant has no such version.
        """
        ...

    async def chosen(self, tenant: str) -> StoredPolicySet | str | None:
        """Return the set that decides, its version where the set itself is missing, None for the shipped one."""
        ...


async def deciding_set(tenant: str, store: PolicyStore, shipped: ShippedPolicies) -> PolicySet:
    """Return the set that decides a tenant's calls now.

    Raises:
        InvalidInput: the chosen set is missing, extends one that is not shipped, or is not what its hash says.
        Unavailable: it could not be read.
    """
    chosen = await store.chosen(tenant)
    if chosen is None:
        return shipped_set(shipped)
    if isinstance(chosen, str):
        raise InvalidInput(f"policy set {chosen} is chosen, and is not there: register it, or choose another")
    found = resolved(chosen, shipped)
    if found.sha256 != chosen.sha256:
        raise InvalidInput(f"policy set {chosen.version} is not what was registered: its hash is {found.sha256}, not {chosen.sha256}")
    return found
