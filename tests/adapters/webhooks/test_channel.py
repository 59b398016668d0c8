"""The webhook channel against a real server: signed as Standard Webhooks says, to the checked address only, and what answers mean."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from adapters.outbound.clients import GuardedClients
from adapters.webhooks.channel import WebhookChannel, result_of
from adapters.webhooks.signing import signed_headers
from domain.deliveries import AttemptResult, Outgoing
from domain.errors import StandfastError
from domain.events import Event, event_id
from domain.subscriptions import Target, format_secret
from tests.outbound import finding, numeric, outbound
from tests.servers.webhook_sink import Said, WebhookSink

NEW, OLD = format_secret(b"n" * 32), format_secret(b"o" * 24)
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
EVENT = Event(
    id=event_id("acme", "run_1", 1, "run.succeeded"),
    type="run.succeeded",
    at="2026-01-05T09:00:00.000000Z",
    tenant="acme",
    run="run_1",
    data={"correlation_id": "corr-1", "details": {"name": "Zoë \u2028 </script>"}},
)


def outgoing(attempt: int = 1) -> Outgoing:
    """Build an attempt."""
    return Outgoing(
        tenant="acme", delivery="dlv_1", channel="webhook", endpoint="whk_1", event=EVENT, attempt=attempt, at="2026-01-05T09:00:00Z"
    )


class OneTarget:
    """A subscription that is always there, or never."""

    def __init__(self, target: Target | None) -> None:
        self._target = target

    async def target(self, tenant: str, subscription: str) -> Target | None:
        """Return it."""
        assert (tenant, subscription) == ("acme", "whk_1")
        return self._target


async def sent(
    url: str, *, secrets: tuple[str, ...] = (NEW,), allow_private: bool = True, timeout_s: float = 5.0, found: list[str] | None = None
) -> AttemptResult:
    """Make one attempt; `found` are the addresses the resolver gives."""
    clients = GuardedClients(resolve=numeric if found is None else finding(*found))
    channel = WebhookChannel(
        OneTarget(Target(url=url, secrets=secrets)), outbound=clients, allow_private=allow_private, timeout_s=timeout_s
    )
    try:
        return await channel.send("whk_1", outgoing())
    finally:
        await channel.aclose()


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    """The server."""
    with WebhookSink() as running:
        yield running


class TestWebhookChannel:
    async def test_sends_the_event_signed_with_the_time_of_the_attempt(self, sink: WebhookSink) -> None:
        result = await sent(sink.url)
        [came] = sink.requests
        assert (result.outcome, result.status) == ("sent", 204)
        assert came.body == EVENT.body()
        assert json.loads(came.body)["data"]["details"]["name"] == "Zoë \u2028 </script>"
        assert came.id == EVENT.id
        assert abs(int(came.headers["webhook-timestamp"]) - time.time()) < 60
        assert came.headers["content-type"] == "application/json"
        assert came.headers["x-correlation-id"] == "corr-1"
        assert came.signed_by(NEW)
        assert not came.signed_by(OLD)

    async def test_signs_with_every_valid_secret(self, sink: WebhookSink) -> None:
        await sent(sink.url, secrets=(NEW, OLD))
        [came] = sink.requests
        assert len(came.headers["webhook-signature"].split(" ")) == 2
        assert came.signed_by(NEW)
        assert came.signed_by(OLD)

    async def test_follows_no_redirect(self, sink: WebhookSink) -> None:
        sink.answers.append(Said(307, {"location": sink.url + "/elsewhere"}))
        result = await sent(sink.url)
        assert (result.outcome, result.status) == ("failed", 307)
        assert "redirects are not followed" in result.detail
        assert [came.path for came in sink.requests] == ["/hook"]

    async def test_gives_up_on_one_that_does_not_answer_in_time(self, sink: WebhookSink) -> None:
        sink.answers.append(Said(hold_s=60))
        began = time.monotonic()
        result = await sent(sink.url, timeout_s=0.3)
        assert result.outcome == "failed"
        assert time.monotonic() - began < 30, "the answer would come after 60"

    async def test_reads_no_more_than_a_little_of_an_answer(self, sink: WebhookSink) -> None:
        sink.answers.append(Said(200, body=b"x" * 5_000_000))
        assert (await sent(sink.url)).outcome == "sent"

    async def test_says_that_nobody_listens(self) -> None:
        with WebhookSink() as closed:
            url = closed.url
        result = await sent(url)
        assert (result.outcome, result.status) == ("failed", None)

    async def test_refuses_what_was_deleted(self) -> None:
        channel = WebhookChannel(OneTarget(None), outbound=outbound())
        assert (await channel.send("whk_1", outgoing())).outcome == "refused"
        await channel.aclose()

    async def test_never_sends_plain_http_unless_that_is_allowed(self, sink: WebhookSink) -> None:
        result = await sent(sink.url, allow_private=False)
        assert result.outcome == "refused"
        assert sink.requests == []

    @pytest.mark.parametrize(
        "addresses",
        [
            ["127.0.0.1"],
            ["::1"],
            ["10.1.2.3"],
            ["169.254.169.254"],
            ["100.64.0.1"],
            ["::ffff:127.0.0.1"],
            ["64:ff9b::7f00:1"],
            ["0.0.0.0"],  # noqa: S104  # an address that is refused
            ["93.184.215.14", "192.168.0.1"],
        ],
    )
    async def test_connects_to_public_addresses_only(self, sink: WebhookSink, addresses: list[str]) -> None:
        port = sink.url.split(":")[2].split("/")[0]
        result = await sent(f"https://hooks.example:{port}/hook", allow_private=False, found=addresses)
        assert result.outcome == "failed"
        assert "resolves to" in result.detail
        assert sink.requests == []

    async def test_connects_to_the_address_that_was_checked_and_names_the_host(self, sink: WebhookSink) -> None:
        port = sink.url.split(":")[2].split("/")[0]
        result = await sent(f"http://hooks.example:{port}/hook", found=["127.0.0.1"])
        assert result.outcome == "sent"
        assert sink.requests[0].headers["host"] == f"hooks.example:{port}"

    async def test_tells_that_a_name_has_no_address(self) -> None:
        assert "hooks.example has no address now" in (await sent("https://hooks.example/in", found=[])).detail


class TestResult:
    @pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
    def test_2xx_is_delivered(self, status: int) -> None:
        assert result_of(status, None, now=NOW).outcome == "sent"

    @pytest.mark.parametrize("status", [301, 302, 308, 400, 401, 404, 500, 501, 503])
    def test_most_others_are_tried_again(self, status: int) -> None:
        assert result_of(status, None, now=NOW).outcome == "failed"

    @pytest.mark.parametrize("status", [429, 502, 504])
    def test_too_much_to_do_slows_down(self, status: int) -> None:
        assert result_of(status, None, now=NOW).outcome == "throttled"

    def test_gone_is_gone(self) -> None:
        assert result_of(410, "60", now=NOW).outcome == "gone"

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("120", 120.0),
            (" 7 ", 7.0),
            ((NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 90.0),
            ((NOW - timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 0.0),
            ("9" * 400, 999_999_999.0),
        ],
    )
    def test_retry_after_is_read_as_seconds_or_as_a_date(self, header: str, seconds: float) -> None:
        result = result_of(503, header, now=NOW)
        assert (result.outcome, result.retry_after_s) == ("throttled", seconds)

    @pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", "٣"])
    def test_other_words_in_it_mean_nothing(self, header: str) -> None:
        assert result_of(500, header, now=NOW).outcome == "failed"


class TestSignature:
    def test_nothing_is_ever_sent_unsigned(self) -> None:
        with pytest.raises(StandfastError, match="cannot be signed"):
            signed_headers([], message="evt_1", at=NOW, body=b"{}")

    def test_takes_the_time_of_any_zone(self) -> None:
        abroad = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
        assert signed_headers([NEW], message="evt_1", at=abroad, body=b"{}") == signed_headers([NEW], message="evt_1", at=NOW, body=b"{}")

    def test_is_that_of_the_specifications_example(self) -> None:
        """The example of the specification's reference libraries."""
        headers = signed_headers(
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            message="msg_p5jXN8AQM9LWM0D4loKWxJek",
            at=datetime.fromtimestamp(1614265330, UTC),
            body=b'{"test": 2432232314}',
        )
        assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
