"""The headers that make a delivery a Standard Webhook: id, timestamp, and one `v1` signature for each valid secret. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from domain.errors import StandfastError
from domain.subscriptions import SECRET_PREFIX

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def signed_headers(secrets: Sequence[str], *, message: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of Standard Webhooks 1.0.

    Args:
        secrets: `whsec_` secrets, each of which signs: during a rotation there are two, and a receiver needs to know only one.
        message: The id, the same on every attempt.
        at: The time of this attempt.
        body: Exactly the bytes that are sent.

    Raises:
        StandfastError: there is no secret; nothing is ever sent unsigned.
    """
    if not secrets:
        raise StandfastError("a webhook without a valid secret cannot be signed: rotate its secret")
    second = str(int(at.timestamp()))
    content = f"{message}.{second}.".encode() + body
    macs = (hmac.digest(base64.b64decode(secret.removeprefix(SECRET_PREFIX)), content, hashlib.sha256) for secret in secrets)
    return {ID: message, TIMESTAMP: second, SIGNATURE: " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)}
