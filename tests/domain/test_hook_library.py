"""The verifier of Standard Webhooks against the public library of that name: each takes what the other signs."""

from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

from domain.hook_verifiers import new_secret, secret_key, sign
from tests.domain.test_hook_verifiers import BODY, NOW, accepts


class TestStandardWebhooksLibrary:
    def test_signs_what_is_accepted(self) -> None:
        secret = new_secret("standard-webhooks", b"\x01\xff" * 16)
        now = datetime.fromtimestamp(NOW, UTC)
        signature = Webhook(secret).sign("msg_9", now, BODY.decode())
        headers = [("webhook-id", "msg_9"), ("webhook-timestamp", str(NOW)), ("webhook-signature", signature)]
        accepts("standard-webhooks", headers, keys=(secret_key("standard-webhooks", secret),))

    def test_accepts_what_is_signed(self) -> None:
        secret = new_secret("standard-webhooks", b"\x02" * 32)
        at = int(datetime.now(UTC).timestamp())
        headers = sign("standard-webhooks", secret_key("standard-webhooks", secret), webhook_id="msg_1", time=str(at), body=BODY)
        assert Webhook(secret).verify(BODY, headers) == {"id": "evt_1", "sum": 5}
