"""Signed links: what a reviewer's link says, how it is written, and why one is refused (DESIGN §7). Pure.

token = `1.` ‖ base64url(JCS of the link) ‖ `.` ‖ base64url(signature), both unpadded and in their one canonical form (RFC 4648 §3.5).
signed = "standfast:review-link:v1" ‖ 0x00 ‖ JCS of the link. Signatures are Ed25519 (RFC 8032) under a key of the tenant.

A link is one reviewer's and names the digest of what will run. It is used up inside the decision (JOURNAL §9): the decision's id follows
from the link's, so a second use is the same decision or a conflict.
"""

import binascii
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple, Protocol

from pydantic import Field, StringConstraints

from domain.canonical import canonical_bytes
from domain.ids import CROCKFORD
from domain.model import Value

LINK_DOMAIN = b"standfast:review-link:v1\0"
VERSION = "1"
TOKEN_CHARS_MAX = 2048
"""Longer texts are refused unread. A token with the longest tenant and principal has about 700 characters."""

LINK_DAYS = 14
"""How long the link of an approval without a deadline lives: long enough for a holiday, short enough for a lost mailbox."""

_GENERATION_MAX = 1_000_000
_ID = f"[{CROCKFORD}]{{26}}"
_PART = re.compile(r"[A-Za-z0-9_-]+")


class ReviewLink(Value):
    """What a link says; `expires_at` is seconds since 1970 UTC, `key` the generation of the tenant's signing key."""

    tenant: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$")]
    approval: Annotated[str, StringConstraints(pattern=f"^apr_{_ID}$")]
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    reviewer: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
    link: Annotated[str, StringConstraints(pattern=f"^lnk_{_ID}$")]
    expires_at: Annotated[int, Field(ge=0, le=2**53 - 1)]
    key: Annotated[int, Field(ge=1, le=_GENERATION_MAX)]

    def canonical(self) -> bytes:
        """Return the RFC 8785 bytes that stand in the token."""
        return canonical_bytes(self.model_dump(mode="json"))

    @property
    def expires(self) -> datetime:
        """When it expires."""
        return datetime.fromtimestamp(self.expires_at, UTC)


class LinkRefusal(NamedTuple):
    """Why a link is refused; `detail` is a sentence for whoever opened it."""

    reason: Literal["malformed", "altered", "revoked", "expired", "stale"]
    detail: str


MALFORMED = LinkRefusal("malformed", "This is no complete link. Copy the whole address from the message.")
ALTERED = LinkRefusal("altered", "This link was altered, or another installation made it. Open the message again, or ask for a new link.")


class LinkKeys(Protocol):
    """The installation's private keys for links: one per tenant and generation, never outside of this port."""

    def public(self, tenant: str, generation: int) -> bytes:
        """Return the raw public key of a generation, 32 bytes."""
        ...

    def sign(self, tenant: str, generation: int, message: bytes) -> bytes:
        """Return the Ed25519 signature, 64 bytes."""
        ...

    def holds(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether a signature is the key's over the message."""
        ...


class LinkGenerations(NamedTuple):
    """Which generations of a tenant's link keys count: new links are signed with `current`, links of older than `oldest` are dead."""

    current: int = 1
    oldest: int = 1


class LinkRequest(NamedTuple):
    """A link to make: for whom, for what, and the delivery that carries it. `opened_at` and `deadline` are the approval's."""

    tenant: str
    approval: str
    digest: str
    reviewer: str
    link: str
    opened_at: str
    deadline: str | None


def expiry_of(opened_at: str, deadline: str | None) -> int:
    """Return when links to an approval expire, in seconds since 1970: at its deadline, or LINK_DAYS after it was opened."""
    ends = datetime.fromisoformat(deadline) if deadline else datetime.fromisoformat(opened_at) + timedelta(days=LINK_DAYS)
    return int(ends.timestamp())


def signed_token(keys: LinkKeys, wanted: LinkRequest, *, generation: int) -> str:
    """Return the token of a link. The same request gives the same token, so that a delivery repeats itself word for word."""
    link = ReviewLink(
        tenant=wanted.tenant,
        approval=wanted.approval,
        digest=wanted.digest,
        reviewer=wanted.reviewer,
        link=wanted.link,
        expires_at=expiry_of(wanted.opened_at, wanted.deadline),
        key=generation,
    )
    said = link.canonical()
    return f"{VERSION}.{_text(said)}.{_text(keys.sign(link.tenant, link.key, LINK_DOMAIN + said))}"


def read_token(keys: LinkKeys, token: str) -> ReviewLink | LinkRefusal:
    """Return what a token says when its signature holds. Whether its key still counts and its time is not over, `lapsed` says."""
    parsed = _parsed(token)
    if isinstance(parsed, LinkRefusal):
        return parsed
    link, said, signature = parsed
    return link if keys.holds(keys.public(link.tenant, link.key), LINK_DOMAIN + said, signature) else ALTERED


def lapsed(link: ReviewLink, generations: LinkGenerations, now: datetime) -> LinkRefusal | None:
    """Return why a link's time is over: its key was revoked, or it expired."""
    if not generations.oldest <= link.key <= generations.current:
        return LinkRefusal("revoked", "This link was revoked. Ask for a new one, or decide in the inbox.")
    if now.timestamp() >= link.expires_at:
        return LinkRefusal("expired", f"This link expired at {link.expires:%Y-%m-%d %H:%M} UTC. A newer message may hold a newer one.")
    return None


def stale(link: ReviewLink, digest: str) -> LinkRefusal | None:
    """Return a refusal when something other than what the link names would run now: it was amended after the link was made."""
    if link.digest == digest:
        return None
    return LinkRefusal("stale", "What would run was changed after this link was made. The newest message shows it and has its own link.")


def _parsed(token: str) -> tuple[ReviewLink, bytes, bytes] | LinkRefusal:
    version, *parts = token.split(".") if len(token) <= TOKEN_CHARS_MAX else [""]
    raw = [_bytes(part) for part in parts]
    if version != VERSION or len(raw) != 2 or not all(raw):
        return MALFORMED
    said, signature = raw
    try:
        link = ReviewLink.model_validate(json.loads(said))
    except (ValueError, RecursionError):  # a ValidationError is a ValueError
        return MALFORMED
    return (link, said, signature) if link.canonical() == said else ALTERED


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Return the bytes of unpadded base64url in its canonical form, so that two texts never mean the same bytes; empty when it is none."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4)) if _PART.fullmatch(text) else b""
    except binascii.Error:
        raw = b""
    return raw if _text(raw) == text else b""


LinkMaker = Callable[[LinkRequest], str]
"""Makes the address of a link's page."""
