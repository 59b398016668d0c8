"""Verifiers against the schemes' own published vectors, and against what is almost right."""

import base64

import pytest

from domain.errors import InvalidInput, SignatureRefused
from domain.hook_verifiers import SIGNATURES_MAX, VERIFIERS, Scheme, new_secret, read_headers, secret_key, sign, verify

SCHEMES: tuple[Scheme, ...] = ("standard-webhooks", "github", "stripe", "slack")
NOW = 1_700_000_000
KEY = b"k" * 32
BODY = b'{"id":"evt_1","sum":5}'


def signed(scheme: Scheme, *, key: bytes = KEY, at: int = NOW, body: bytes = BODY, webhook_id: str = "msg_1") -> list[tuple[str, str]]:
    """Return the headers of a good request."""
    return list(sign(scheme, key, webhook_id=webhook_id, time=str(at), body=body).items())


def accepts(
    scheme: Scheme, headers: list[tuple[str, str]], *, body: bytes = BODY, keys: tuple[bytes, ...] = (KEY,), now: float = NOW
) -> str:
    """Verify as the gateway does."""
    return verify(read_headers(scheme, headers, now_s=now), body, keys)


class TestPublishedVectors:
    def test_standard_webhooks_specification(self) -> None:
        """The example of the specification's reference implementations."""
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]
        accepts("standard-webhooks", headers, body=b'{"test": 2432232314}', keys=(secret_key("standard-webhooks", secret),), now=1614265330)

    def test_github_documentation(self) -> None:
        """GitHub Docs, "Testing the webhook payload validation"."""
        headers = [
            ("x-hub-signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
            ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ]
        accepts("github", headers, body=b"Hello, World!", keys=(secret_key("github", "It's a Secret to Everybody"),))

    def test_slack_documentation(self) -> None:
        """Slack API, "Verifying requests from Slack", step by step."""
        body = (
            b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
            b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
            b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
            b".803a0bc887a14d10d2c447fce8b6703c"
        )
        headers = [
            ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
            ("x-slack-request-timestamp", "1531420618"),
        ]
        accepts("slack", headers, body=body, keys=(secret_key("slack", "8f742231b10e8888abcd99yyyzzz85a5"),), now=1531420618)

    def test_stripe_signs_time_and_body_with_the_whole_secret(self) -> None:
        """Stripe Docs, "Verify webhook signatures manually"; the digest was computed with `openssl dgst -sha256 -hmac`."""
        secret = "whsec_test_secret_of_an_endpoint"
        made = dict(signed("stripe", key=secret_key("stripe", secret), at=1492774577))["stripe-signature"]
        assert made.startswith("t=1492774577,v1=")
        assert secret_key("stripe", secret) == secret.encode()
        old = "v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
        accepts("stripe", [("stripe-signature", f"{made},{old}")], keys=(secret.encode(),), now=1492774577)


@pytest.mark.parametrize("scheme", SCHEMES)
class TestEveryScheme:
    def test_accepts_what_a_valid_secret_signed(self, scheme: Scheme) -> None:
        assert accepts(scheme, signed(scheme))

    def test_accepts_any_of_several_secrets(self, scheme: Scheme) -> None:
        assert accepts(scheme, signed(scheme), keys=(b"o" * 32, KEY))

    def test_refuses_without_a_secret(self, scheme: Scheme) -> None:
        with pytest.raises(SignatureRefused):
            accepts(scheme, signed(scheme), keys=())

    def test_refuses_another_secret(self, scheme: Scheme) -> None:
        with pytest.raises(SignatureRefused):
            accepts(scheme, signed(scheme, key=b"o" * 32))

    def test_refuses_each_header_missing_or_twice(self, scheme: Scheme) -> None:
        for name in VERIFIERS[scheme].headers:
            good = signed(scheme)
            for bad in ([pair for pair in good if pair[0] != name], [*good, *(pair for pair in good if pair[0] == name)]):
                with pytest.raises(SignatureRefused, match=name):
                    accepts(scheme, bad)

    def test_refuses_a_time_that_is_one_second_over(self, scheme: Scheme) -> None:
        if not VERIFIERS[scheme].timed:
            return
        for off in (-301, 301):
            with pytest.raises(SignatureRefused, match="300 s"):
                accepts(scheme, signed(scheme, at=NOW + off))
        for off in (-300, 300):
            assert accepts(scheme, signed(scheme, at=NOW + off))

    def test_refuses_a_signature_spelled_otherwise(self, scheme: Scheme) -> None:
        name = VERIFIERS[scheme].signature
        good = dict(signed(scheme))
        for other in (good[name].upper(), good[name] + "=", good[name][:-1]):
            with pytest.raises(SignatureRefused):
                accepts(scheme, [*((n, v) for n, v in good.items() if n != name), (name, other)])

    def test_makes_secrets_that_it_takes(self, scheme: Scheme) -> None:
        assert len(secret_key(scheme, new_secret(scheme, b"\x07" * 32))) >= 32

    @pytest.mark.parametrize("secret", ["", "short", "whsec_", "whsec_short", "x" * 300, "whsec_" + "!" * 40])
    def test_refuses_secrets_that_are_none(self, scheme: Scheme, secret: str) -> None:
        if scheme != "standard-webhooks" and 16 <= len(secret) <= 128:
            return
        with pytest.raises(InvalidInput):
            secret_key(scheme, secret)


class TestStandardWebhooksScheme:
    def test_takes_one_of_several_signatures(self) -> None:
        """During a rotation a sender signs with both secrets; signatures of other versions are left out."""
        good = dict(signed("standard-webhooks"))
        many = f"v1a,xyz v1,{base64.b64encode(b'0' * 32).decode()} {good['webhook-signature']}"
        accepts("standard-webhooks", [*((n, v) for n, v in good.items() if n != "webhook-signature"), ("webhook-signature", many)])

    def test_does_not_look_at_very_many(self) -> None:
        good = dict(signed("standard-webhooks"))
        many = " ".join([good["webhook-signature"]] * (SIGNATURES_MAX + 1))
        with pytest.raises(SignatureRefused, match="1 to 16 signatures"):
            accepts("standard-webhooks", [*((n, v) for n, v in good.items() if n != "webhook-signature"), ("webhook-signature", many)])

    def test_refuses_other_tail_bits_of_the_same_base64(self) -> None:
        good = dict(signed("standard-webhooks"))
        signature = good["webhook-signature"]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        last = alphabet[alphabet.index(signature[-2]) ^ 1]
        spelled = f"{signature[:-2]}{last}="
        assert base64.b64decode(spelled[3:]) == base64.b64decode(signature[3:])
        with pytest.raises(SignatureRefused):
            accepts("standard-webhooks", [*((n, v) for n, v in good.items() if n != "webhook-signature"), ("webhook-signature", spelled)])

    @pytest.mark.parametrize("webhook_id", ["a.b", ".", "msg_1.1700000000", "", " ", "x" * 201, "ä"])
    def test_refuses_ids_whose_border_could_move(self, webhook_id: str) -> None:
        with pytest.raises(SignatureRefused, match="webhook-id"):
            accepts("standard-webhooks", signed("standard-webhooks", webhook_id=webhook_id))

    @pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "1700000000.0", "+1700000000", "0x10", "١٧", "9" * 13])
    def test_refuses_times_that_are_none(self, stamp: str) -> None:
        headers = list(sign("standard-webhooks", KEY, webhook_id="m", time=stamp, body=BODY).items())
        with pytest.raises(SignatureRefused, match="time"):
            accepts("standard-webhooks", headers)
