"""The policy port: one tool call as a policy sees it, and the verdict on it. Pure.

The default is deny: what no policy permits is not done. A policy may permit a call outright, or only once a person has approved exactly
this call; `adapters/policy` evaluates policies, and the rule about untrusted values (`steered`) holds whatever a policy set says.
"""

from typing import Literal, Protocol

from pydantic import JsonValue

from domain.effects import EffectClass
from domain.labels import Label, untrusted, values_at
from domain.model import Value, Wire

PolicyEffect = Literal["allow", "deny", "require_approval"]
Origin = Literal["agent", "call", "undo"]
"""Who asks for a call: a model within an agent step, a `call` step of the definition, or a compensation."""


class PolicyRequest(Wire):
    """One call that is about to be made.

    `sensitive` are the dotted arguments that choose a recipient, URL, amount, command or query; `labels` tells where each of them comes
    from, `taint` what the whole conversation or definition behind the call holds. `approved`: a person has approved exactly this call.
    `agent` is the asking agent step, `definition/step`, and `registered` the name of the registered agent that it is.
    """

    tenant: str
    run: str = ""
    definition: str = ""
    step: str = ""
    origin: Origin
    agent: str | None = None
    registered: str | None = None
    principal: str = ""
    roles: list[str] = []
    tool: str
    version: str
    kind: str = "builtin"
    effect_class: EffectClass
    arguments: dict[str, JsonValue] = {}
    sensitive: list[str] = []
    labels: dict[str, list[Label]] = {}
    taint: list[Label] = []
    approved: bool = False

    @property
    def steered(self) -> list[str]:
        """The sensitive arguments that an untrusted source may have chosen; one whose labels are not known is as its surroundings are."""
        given = [name for name in self.sensitive if values_at(self.arguments, name)]
        return [name for name in given if untrusted(self.labels.get(name, self.taint))]


class PolicyVerdict(Wire):
    """What policy says of one call.

    `policies` names what decided, `reviewers` the roles that may approve, `steered` the sensitive arguments that an untrusted source may
    have chosen. `transient` marks a denial because no policy could be read just now: asked again, the answer may be another.
    """

    effect: PolicyEffect
    reason: str
    reviewers: list[str] = []
    policy_sha256: str = ""
    policies: list[str] = []
    steered: list[str] = []
    transient: bool = False


class PolicyDecider(Protocol):
    """Decides calls by the tenant's policies as they are at this moment."""

    async def decide(self, request: PolicyRequest) -> PolicyVerdict:
        """Return the verdict; whatever fails (no policy, an error, a timeout) is a denial, never an exception."""
        ...


class Ruling(Value):
    """What a policy set says of one request.

    `policies` names the policies that decided, in the set's order. Of those that permit, `untrusted` are the arguments that they let an
    untrusted source choose (`*` for all), and `reviewers` the roles they name. `errors`: policies that could not be evaluated.
    """

    permitted: bool
    policies: tuple[str, ...] = ()
    untrusted: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class Rulings(Value):
    """A request as it is, and as it would be once a person has approved exactly this call."""

    now: Ruling
    approved: Ruling


class PolicyEngine(Protocol):
    """Evaluates policy text; pure computation, no I/O."""

    def check(self, policies: str) -> list[str]:
        """Return what is wrong with a set's text: syntax, and names that the schema does not know."""
        ...

    def rule(self, policies: str, request: PolicyRequest) -> Rulings:
        """Return what the policies say of a request.

        Raises:
            InvalidInput: the text is no policy set.
        """
        ...

    def recall(self, policies: str, request: PolicyRequest) -> Rulings | None:
        """Return what `rule` would, if it is known already and takes no time; else None."""
        ...
