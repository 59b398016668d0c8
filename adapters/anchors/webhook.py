"""Sends heads to a URL by POST, signed as Standard Webhooks says (webhook-id, webhook-timestamp, webhook-signature `v1,`).

Delivered at least once: the id is the same for the same head, so that a receiver can tell. Redirects are not followed.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address

import httpx2

from domain.egress import OPERATOR, OutboundClients
from domain.errors import EgressRefused, InvalidInput, Unavailable
from domain.tree_heads import SignedTreeHead

TIMEOUT_S = 10.0
SECRET_PREFIX = "whsec_"  # noqa: S105  # the prefix that Standard Webhooks gives to secrets, and no secret
EVENT = "ledger.tree_head.signed"


class WebhookAnchor:
    """Implements `Anchor`.

    Args:
        url: An https URL; http only on loopback, and only with `allow_loopback`.
        secret: `whsec_` and base64, or any text; None sends without a signature.
        now: The clock.
        allow_loopback: For the profiles development and test.
        outbound: The way to it; the operator set the address, so it may be inside and behind a proxy.

    Raises:
        InvalidInput: the URL may not be used, or the secret is no base64 after its prefix.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: str | None,
        now: Callable[[], datetime],
        outbound: OutboundClients[httpx2.AsyncBaseTransport],
        allow_loopback: bool = False,
    ) -> None:
        self._url = checked_url(url, allow_loopback=allow_loopback)
        self._key = None if secret is None else secret_key(secret)
        self._now = now
        self._http = httpx2.AsyncClient(timeout=TIMEOUT_S, transport=outbound.transport(OPERATOR))

    @property
    def name(self) -> str:
        """`webhook:` and the URL without what may be secret in it."""
        return f"webhook:{self._url.copy_with(username=None, password=None, query=None, fragment=None)}"

    async def keep(self, head: SignedTreeHead) -> None:
        """Send a head.

        Raises:
            Unavailable: no answer came, or one that is not 2xx.
        """
        moment = self._now()
        body = json.dumps({"type": EVENT, "timestamp": moment.isoformat(), "data": head.document()}, separators=(",", ":")).encode()
        try:
            answer = await self._http.post(self._url, content=body, headers=self._headers(head, moment, body))
        except EgressRefused as error:
            raise Unavailable(f"{self.name} may not be called: {error.detail}") from error
        except httpx2.HTTPError as error:
            raise Unavailable(f"{self.name} did not answer: {type(error).__name__} {error}".strip()) from error
        if not answer.is_success:
            raise Unavailable(f"{self.name} answered HTTP {answer.status_code}")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _headers(self, head: SignedTreeHead, moment: datetime, body: bytes) -> dict[str, str]:
        name, second = f"head_{head.tenant}_{head.tree_size}", str(int(moment.timestamp()))
        headers = {"content-type": "application/json", "webhook-id": name, "webhook-timestamp": second}
        if self._key is not None:
            mac = hmac.digest(self._key, f"{name}.{second}.".encode() + body, hashlib.sha256)
            headers["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
        return headers


def checked_url(url: str, *, allow_loopback: bool) -> httpx2.URL:
    """Return the URL of an anchor.

    Raises:
        InvalidInput: it is no https URL, nor, where that is allowed, one of this machine.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise InvalidInput(f"STANDFAST_ANCHOR_URL is no URL: {error}") from error
    local = allow_loopback and parsed.scheme == "http" and _is_loopback(parsed.host)
    if not parsed.host or not (parsed.scheme == "https" or local):
        raise InvalidInput("STANDFAST_ANCHOR_URL must begin with https://; http:// is taken for this machine only, in development")
    return parsed


def secret_key(secret: str) -> bytes:
    """Return the key of a Standard Webhooks secret.

    Raises:
        InvalidInput: what follows `whsec_` is no base64.
    """
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise InvalidInput("STANDFAST_ANCHOR_SECRET begins with whsec_ and goes on with something that is no base64") from error


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
