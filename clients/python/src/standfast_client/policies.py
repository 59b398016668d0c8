"""What the gateway answers about policies. Times are RFC 3339 UTC."""

from standfast_client.models import Received


class PolicySet(Received):
    """A registered version of the tenant's policies; `active` says that it decides now."""

    version: str
    cedar: str
    extends: str | None = None
    comment: str = ""
    sha256: str
    created_by: str
    created_at: str
    active: bool = False


class PolicySets(Received):
    """The tenant's policy sets, newest first; `deciding` is the version that decides, and `sha256` its hash in ledger entries."""

    items: list[PolicySet]
    deciding: str
    sha256: str
    shipped: str


class PolicyText(Received):
    """A policy set with its whole text, the part included that comes with the platform."""

    version: str
    text: str
    sha256: str
    extends: str | None = None
    comment: str = ""
    created_by: str | None = None
    created_at: str | None = None
    active: bool = False


class PolicyVerdict(Received):
    """What policy says of a call: `allow`, `deny` or `require_approval`.

    `policies` names what decided, `reviewers` the roles that may approve, `steered` the arguments that an untrusted source may have chosen.
    """

    effect: str
    reason: str
    reviewers: list[str] = []
    policy_sha256: str = ""
    policies: list[str] = []
    steered: list[str] = []
