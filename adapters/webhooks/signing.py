"""The headers that make a delivery a Standard Webhook: id, timestamp, and one `v1` signature for each valid secret. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from domain.errors import StandfastError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def signed_headers(secrets: Sequence[str], *, message: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers of Standard Webhooks 1.0.

    Args:
        secrets: `whsec_` secrets, each of which signs: during a rotation there are two, and a receiver needs to know only one.
        message: The id, the same on every attempt.
        at: The time of this attempt.
        body: Exactly the bytes that are sent, in UTF-8.

    Raises:
        StandfastError: there is no secret; nothing is ever sent unsigned.
    """
    if not secrets:
        raise StandfastError("a webhook without a valid secret cannot be signed: rotate its secret")
    instant, text = at.astimezone(UTC), body.decode()  # the library takes any time for UTC
    signatures = [Webhook(secret).sign(message, instant, text) for secret in secrets]
    return {ID: message, TIMESTAMP: str(int(instant.timestamp())), SIGNATURE: " ".join(signatures)}
