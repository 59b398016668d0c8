"""Declared verifiers of inbound webhooks: which headers a scheme signs with, and whether a request is who it says it is. Pure.

Everything is decided over the raw bytes before anything is parsed, and signatures are compared as the texts they are, in constant time: a
second spelling of the same signature (other base64 tail bits, upper-case hex) is another text, so it is refused.

Sources: Standard Webhooks 1.0 (specification, "Verifying webhook authenticity"); GitHub Docs "Validating webhook deliveries"; Stripe Docs
"Resolve webhook signature verification errors"; Slack API "Verifying requests from Slack".
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from domain.errors import InvalidInput, SignatureRefused
from domain.model import Value

Scheme = Literal["standard-webhooks", "github", "stripe", "slack"]
"""How a sender signs."""

TOLERANCE_S: Final = 300
"""Largest difference between a request's signed time and ours (Standard Webhooks 1.0, Stripe and Slack alike), both ends included."""

HEADER_CHARS_MAX: Final = 4096
"""Longest signature header that is looked at: some forty signatures."""

SIGNATURES_MAX: Final = 16
"""Most signatures of one request that are compared: during a rotation a sender sends a few."""

SECRET_BYTES: Final = (16, 128)
"""Shortest and longest secret of the schemes that take theirs as text; GitHub, Stripe and Slack hand out 32 characters and more."""

STANDARD_SECRET_BYTES: Final = (24, 64)
"""The same for Standard Webhooks, after base64."""

STANDARD_PREFIX: Final = "whsec_"

_TIME: Final = re.compile(r"[0-9]{1,12}")
_WEBHOOK_ID: Final = re.compile(r"[A-Za-z0-9_:/+=@-]{1,200}")
"""No dot: what is signed is `id.timestamp.body`, and a dot in the id could move the borders between the three."""


class Verifier(Value):
    """One scheme, declared.

    `signature`, `time` and `id` are the headers that carry them, in lower case; '' where the scheme has none (Stripe's time stands in its
    signature header, Stripe's and Slack's id in the body). `id_signed` says whether the signature covers the id: where it does not, a
    request of the same body is the same request whatever its id. `type` is the header that names the event, `` for the body's `type`.
    """

    scheme: Scheme
    signature: str
    time: str = ""
    id: str = ""
    id_signed: bool = True
    type: str = ""

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers a request must carry, each once."""
        return tuple(name for name in (self.signature, self.time, self.id) if name)

    @property
    def timed(self) -> bool:
        """Whether requests are signed with a time, so that old ones can be told."""
        return self.scheme != "github"


VERIFIERS: Final[dict[Scheme, Verifier]] = {
    "standard-webhooks": Verifier(scheme="standard-webhooks", signature="webhook-signature", time="webhook-timestamp", id="webhook-id"),
    "github": Verifier(scheme="github", signature="x-hub-signature-256", id="x-github-delivery", id_signed=False, type="x-github-event"),
    "stripe": Verifier(scheme="stripe", signature="stripe-signature"),
    "slack": Verifier(scheme="slack", signature="x-slack-signature", time="x-slack-request-timestamp"),
}
"""Every scheme there is; a hook names one of them, so no route accepts anything unverified."""


class SignedRequest(Value):
    """What the headers of a request claim, read and not yet believed. `time` is Unix seconds, None for a scheme without."""

    verifier: Verifier
    signatures: tuple[str, ...]
    time: str | None
    id: str | None
    type: str | None


def read_headers(scheme: Scheme, headers: Sequence[tuple[str, str]], *, now_s: float, tolerance_s: int = TOLERANCE_S) -> SignedRequest:
    """Read what a request claims, and refuse one that cannot be good before its body is read.

    Args:
        scheme: The hook's scheme.
        headers: All headers of the request, names in lower case, in order; a name may stand twice.
        now_s: Our time, Unix seconds.
        tolerance_s: How far the request's time may lie from ours, either way.

    Raises:
        SignatureRefused: a header is missing, stands twice or is malformed, or the time is too old or too new.
    """
    verifier = VERIFIERS[scheme]
    found = {name: _only(headers, name) for name in verifier.headers}
    signature = found[verifier.signature]
    stamp = _stripe_time(signature) if scheme == "stripe" else found.get(verifier.time) if verifier.time else None
    if verifier.timed:
        _check_time(stamp or "", now_s, tolerance_s)
    given_id = found.get(verifier.id) if verifier.id else None
    if given_id is not None and not _WEBHOOK_ID.fullmatch(given_id):
        raise SignatureRefused(f"the header {verifier.id} has 1 to 200 letters, digits and _ : / + = @ -, and no dot")
    event = next((value for name, value in headers if verifier.type and name == verifier.type), None)
    return SignedRequest(verifier=verifier, signatures=_signatures(scheme, signature), time=stamp, id=given_id, type=event)


def verify(claimed: SignedRequest, body: bytes, secrets: Sequence[bytes]) -> str:
    """Compare a request's signatures with what each valid secret makes of its bytes; return the signature that fits.

    Every pair is compared, whichever fits, so that the time taken tells nothing.

    Args:
        claimed: What `read_headers` returned.
        body: The raw body, as it came.
        secrets: The hook's valid secrets, as keys (`secret_key`); several during a rotation.

    Raises:
        SignatureRefused: none fits.
    """
    signed = _signed_content(claimed, body)
    fitting: str | None = None
    for secret in secrets:
        expected = _expected(claimed.verifier.scheme, hmac.new(secret, signed, hashlib.sha256).digest())
        for given in claimed.signatures:
            if hmac.compare_digest(expected.encode(), given.encode()):
                fitting = given
    if fitting is None:
        raise SignatureRefused("no signature of this request fits its bytes and a valid secret of the hook")
    return fitting


def secret_key(scheme: Scheme, secret: str) -> bytes:
    """Return the HMAC key that a secret stands for.

    Raises:
        InvalidInput: too short or too long, or no `whsec_` and base64 where the scheme wants that.
    """
    if scheme != "standard-webhooks":
        raw, (low, high) = secret.encode(), SECRET_BYTES
        if not low <= len(raw) <= high or not (secret.isascii() and secret.isprintable()):
            raise InvalidInput(f"a {scheme} secret has {low} to {high} printable ASCII characters", where="/secret")
        return raw
    low, high = STANDARD_SECRET_BYTES
    try:
        raw = base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not secret.startswith(STANDARD_PREFIX) or not low <= len(raw) <= high:
        raise InvalidInput(f"a standard-webhooks secret is whsec_ and the base64 of {low} to {high} bytes", where="/secret")
    return raw


def new_secret(scheme: Scheme, random: bytes) -> str:
    """Return a secret made of 32 random bytes, as its scheme writes it."""
    return STANDARD_PREFIX + base64.b64encode(random).decode() if scheme == "standard-webhooks" else random.hex()


def sign(scheme: Scheme, key: bytes, *, webhook_id: str, time: str, body: bytes) -> dict[str, str]:
    """Return the headers that a sender of this scheme puts on a request: for tests, and for whoever writes a sender.

    Args:
        scheme: The scheme.
        key: The HMAC key (`secret_key`).
        webhook_id: The id; Stripe's and Slack's stands in the body instead.
        time: Unix seconds as text; GitHub's scheme has none.
        body: The raw body.
    """
    verifier = VERIFIERS[scheme]
    claimed = SignedRequest(verifier=verifier, signatures=(), time=time if verifier.timed else None, id=webhook_id, type=None)
    made = _expected(scheme, hmac.new(key, _signed_content(claimed, body), hashlib.sha256).digest())
    signature = {"standard-webhooks": f"v1,{made}", "github": f"sha256={made}", "stripe": f"t={time},v1={made}", "slack": f"v0={made}"}
    headers: Mapping[str, str] = {verifier.signature: signature[scheme], verifier.time: time, verifier.id: webhook_id}
    return {name: value for name, value in headers.items() if name}


def _only(headers: Sequence[tuple[str, str]], name: str) -> str:
    values = [value for given, value in headers if given == name]
    if len(values) != 1:
        raise SignatureRefused(f"the header {name} is needed once, and stands here {len(values)} times")
    if len(values[0]) > HEADER_CHARS_MAX or not (values[0].isascii() and values[0].isprintable()):
        raise SignatureRefused(f"the header {name} has at most {HEADER_CHARS_MAX} printable ASCII characters")
    return values[0]


def _check_time(stamp: str, now_s: float, tolerance_s: int) -> None:
    if not _TIME.fullmatch(stamp):
        raise SignatureRefused("the signed time is no whole number of seconds since 1970")
    if abs(now_s - int(stamp)) > tolerance_s:
        raise SignatureRefused(f"the signed time lies more than {tolerance_s} s from the time here: an old request, or a wrong clock")


def _stripe_time(signature: str) -> str:
    stamps = [part[2:] for part in signature.split(",") if part.startswith("t=")]
    if len(stamps) != 1:
        raise SignatureRefused("the header stripe-signature has one t=")
    return stamps[0]


_MARKS: Final[dict[Scheme, tuple[str, str]]] = {
    "standard-webhooks": (" ", "v1,"),
    "stripe": (",", "v1="),
    "slack": ("\0", "v0="),
    "github": ("\0", "sha256="),
}
"""What separates the signatures of a header (NUL: there is one), and what a signature begins with."""


def _signatures(scheme: Scheme, header: str) -> tuple[str, ...]:
    """The signatures of a header, without the mark of the version that is known here; others are left out.

    Raises:
        SignatureRefused: there is none, or too many.
    """
    separator, mark = _MARKS[scheme]
    found = tuple(part.removeprefix(mark) for part in header.split(separator) if part.startswith(mark))
    if not 1 <= len(found) <= SIGNATURES_MAX:
        raise SignatureRefused(f"the header {VERIFIERS[scheme].signature} has 1 to {SIGNATURES_MAX} signatures that begin with {mark}")
    return found


def _signed_content(claimed: SignedRequest, body: bytes) -> bytes:
    match claimed.verifier.scheme:
        case "standard-webhooks":
            return f"{claimed.id}.{claimed.time}.".encode() + body
        case "stripe":
            return f"{claimed.time}.".encode() + body
        case "slack":
            return f"v0:{claimed.time}:".encode() + body
        case "github":
            return body


def _expected(scheme: Scheme, digest: bytes) -> str:
    return base64.b64encode(digest).decode() if scheme == "standard-webhooks" else digest.hex()
