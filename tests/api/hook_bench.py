"""Senders of inbound webhooks for tests: they register a hook at a gateway over fakes, and sign as their scheme says."""

import json
from dataclasses import dataclass, field

import httpx2
from pydantic import JsonValue

from domain.hook_verifiers import VERIFIERS, Scheme, secret_key, sign
from tests.api.gateway import Gateway

SCHEMES: tuple[Scheme, ...] = ("standard-webhooks", "github", "stripe", "slack")

START: dict[str, JsonValue] = {"kind": "start", "definition": "delay-claim", "input": {"claim": {"id": "${ input.body.claim }"}}}
SIGNAL: dict[str, JsonValue] = {"kind": "signal", "signal": "payment.settled", "correlate": "${ input.body.claim }"}

Headers = list[tuple[bytes, bytes]]


@dataclass
class Sent:
    """One request on its way: what is posted where."""

    address: str
    headers: Headers
    body: bytes

    def value(self, name: str) -> bytes:
        """Return a header's value."""
        return dict(self.headers)[name.encode()]

    def with_header(self, name: str, value: bytes | None) -> "Sent":
        """Return the request with another value of a header, or without it."""
        others = [pair for pair in self.headers if pair[0] != name.encode()]
        return Sent(self.address, others if value is None else [*others, (name.encode(), value)], self.body)

    def with_body(self, body: bytes) -> "Sent":
        """Return the request with another body and the same headers."""
        return Sent(self.address, self.headers, body)


@dataclass
class Sender:
    """A registered sender."""

    house: Gateway
    scheme: Scheme
    hook: str
    secret: str
    seen: list[Sent] = field(default_factory=list[Sent])

    @property
    def address(self) -> str:
        """Where it posts."""
        return f"/hooks/{self.hook}"

    def make(
        self, webhook_id: str = "evt-1", body: JsonValue = None, *, raw: bytes | None = None, age_s: int = 0, secret: str | None = None
    ) -> Sent:
        """Return a well signed request; the id stands in the body where the scheme has it there."""
        said = body if isinstance(body, dict) else {"claim": "c-1"}
        where = {"stripe": "id", "slack": "event_id"}.get(self.scheme)
        content = raw if raw is not None else json.dumps({**said, where: webhook_id} if where else said).encode()
        at = int(self.house.stores.database.time.timestamp()) - age_s
        key = secret_key(self.scheme, secret or self.secret)
        headers = sign(self.scheme, key, webhook_id=webhook_id, time=str(at), body=content)
        if event := VERIFIERS[self.scheme].type:
            headers[event] = "payment"
        return Sent(self.address, [(name.encode(), value.encode()) for name, value in headers.items()], content)

    def post(self, sent: Sent) -> httpx2.Response:
        """Post a request."""
        return post(self.house, sent)

    def send(self, webhook_id: str = "evt-1", body: JsonValue = None, **more: object) -> httpx2.Response:
        """Make a good request and post it."""
        return self.post(self.make(webhook_id, body, **more))  # pyright: ignore[reportArgumentType] - as `make` takes them


def post(house: Gateway, sent: Sent) -> httpx2.Response:
    """Post a request as a stranger: no key is sent."""
    return house.client(None).post(sent.address, content=sent.body, headers=sent.headers)


def register(
    house: Gateway, scheme: Scheme = "standard-webhooks", *, who: str = "developer", action: JsonValue = None, **more: JsonValue
) -> Sender:
    """Register a hook and return its sender."""
    body: dict[str, JsonValue] = {"name": f"from-{scheme}", "scheme": scheme, "action": action or START, "rate_per_minute": 60_000, **more}
    answer = house.client(who).post("/v1/hooks", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    given = more.get("secret")
    return Sender(house, scheme, made["hook"], given if isinstance(given, str) else made["secret"])
