"""Slack messages to reviewers: blocks within Slack's limits, and what its answers mean."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from adapters.outbound.clients import GuardedClients
from adapters.slack.blocks import payload
from adapters.slack.channel import SlackChannel, build
from domain.channels import ChannelContext, ReviewMessage
from domain.deliveries import AttemptResult
from domain.review_summary import ShownArgument
from tests.outbound import outbound
from tests.review_messages import CALL, DELIVERY, LINK, MESSAGE, SUMMARY, Given

Json = dict[str, Any]  # Any: blocks are untyped JSON


def blocks_of(message: ReviewMessage) -> list[Json]:
    """Return the blocks as they come to Slack."""
    return json.loads(json.dumps(payload(message)))["blocks"]


def words(message: ReviewMessage) -> str:
    """Return every text of the blocks."""
    return json.dumps(payload(message), ensure_ascii=False)


def with_arguments(*arguments: ShownArgument) -> ReviewMessage:
    calls = (CALL.model_copy(update={"arguments": arguments}),)
    return MESSAGE.model_copy(update={"summary": SUMMARY.model_copy(update={"calls": calls})})


def texts(blocks: list[Json]) -> list[tuple[str, str]]:
    """Return the type of each block with each of its texts."""
    found = [(block["type"], block["text"]) for block in blocks if "text" in block]
    found += [(block["type"], each) for block in blocks for each in block.get("elements", []) if each["type"] == "plain_text"]
    assert all(text["type"] == "plain_text" for _, text in found), "markup would let a value look like something else"
    return [(kind, text["text"]) for kind, text in found]


class TestBlocks:
    def test_say_what_will_happen(self) -> None:
        said = words(MESSAGE)
        for word in ("Decision asked", "bank.pay 1.0.0", "amount: 250", "not bound", "operator", "$0.25", SUMMARY.run):
            assert word in said

    def test_hold_the_link_as_a_button_only(self) -> None:
        (actions,) = [block for block in blocks_of(MESSAGE) if block["type"] == "actions"]
        assert [(one["type"], one["url"]) for one in actions["elements"]] == [("button", LINK)]
        assert words(MESSAGE).count("/a/") == 1

    def test_hold_no_button_without_a_link(self) -> None:
        said = words(MESSAGE.model_copy(update={"link": None}))
        assert "button" not in said
        assert "/a/" not in said

    def test_escape_what_slack_reads_as_commands(self) -> None:
        said = words(with_arguments(ShownArgument(place="to", text="<!channel> & <https://evil.example|bank>")))
        assert "&lt;!channel&gt; &amp; &lt;https://evil.example|bank&gt;" in said

    def test_name_characters_that_hide(self) -> None:
        said = words(with_arguments(ShownArgument(place="to", text="ada\u202egro\n")))
        assert "ada[U+202E RIGHT-TO-LEFT OVERRIDE]gro[U+000A]" in said

    def test_say_where_a_value_is_cut(self) -> None:
        assert "5000 characters; the page shows them" in words(with_arguments(ShownArgument(place="memo", text="x" * 5000)))

    def test_say_when_there_is_more(self) -> None:
        many = (ShownArgument(place=f"p{number}", text="y" * 390) for number in range(2000))
        assert "There is more than fits here" in words(with_arguments(*many))

    @given(st.lists(st.tuples(st.text(), st.text(min_size=0, max_size=3000)), max_size=30), st.text())
    def test_keep_to_slacks_limits(self, arguments: list[tuple[str, str]], heading: str) -> None:
        shown = [ShownArgument(place=place, text=text * 3) for place, text in arguments]
        blocks = blocks_of(with_arguments(*shown).model_copy(update={"heading": heading * 50}))
        assert len(blocks) <= 50
        for kind, text in texts(blocks):
            assert 1 <= len(text) <= (150 if kind == "header" else 3000)


async def sent(server: HTTPServer, response: Response, *, allow_private: bool = True) -> AttemptResult:
    server.expect_request("/T1/secret", method="POST").respond_with_response(response)
    message = MESSAGE.model_copy(update={"address": server.url_for("/T1/secret")})
    channel = SlackChannel(Given(message), outbound=outbound(), allow_private=allow_private)
    try:
        return await channel.send("chn_1/prn_1", DELIVERY)
    finally:
        await channel.aclose()


class TestAnswer:
    @pytest.mark.parametrize(
        ("status", "headers", "outcome", "pause"),
        [
            (200, {}, "sent", None),
            (429, {"Retry-After": "30"}, "throttled", 30.0),
            (429, {"Retry-After": "soon"}, "throttled", None),
            (500, {}, "failed", None),
            (503, {"Retry-After": "7"}, "failed", 7.0),
            (400, {}, "refused", None),
            (404, {}, "refused", None),
            (302, {"Location": "/elsewhere"}, "refused", None),
        ],
    )
    async def test_is_understood(
        self, httpserver: HTTPServer, status: int, headers: dict[str, str], outcome: str, pause: float | None
    ) -> None:
        result = await sent(httpserver, Response("invalid_payload", status, headers))
        assert (result.outcome, result.status, result.retry_after_s) == (outcome, status, pause)
        assert "invalid_payload" in result.detail
        assert len(httpserver.log) == 1, "no redirect is followed"

    async def test_never_names_the_address_which_is_a_secret(self, httpserver: HTTPServer) -> None:
        assert "secret" not in (await sent(httpserver, Response("no_service", 404))).detail

    async def test_comes_to_json_that_slack_takes(self, httpserver: HTTPServer) -> None:
        seen: list[Json] = []

        def look(request: Request) -> Response:
            assert request.mimetype == "application/json"
            seen.append(json.loads(request.data))
            return Response("ok")

        httpserver.expect_request("/hook").respond_with_handler(look)
        channel = SlackChannel(
            Given(MESSAGE.model_copy(update={"address": httpserver.url_for("/hook")})), outbound=outbound(), allow_private=True
        )
        assert (await channel.send("chn_1/prn_1", DELIVERY)).outcome == "sent"
        await channel.aclose()
        assert seen == [json.loads(json.dumps(payload(MESSAGE)))]

    async def test_is_not_asked_when_there_is_nothing_to_say(self, httpserver: HTTPServer) -> None:
        nothing = AttemptResult(outcome="sent", detail="nothing was sent: the channel was removed")
        assert await SlackChannel(Given(nothing), outbound=outbound()).send("chn_1", DELIVERY) == nothing
        assert httpserver.log == []


class TestAddress:
    async def test_of_this_machine_is_refused_in_production(self, httpserver: HTTPServer) -> None:
        result = await sent(httpserver, Response("ok"), allow_private=False)
        assert result.outcome == "refused"
        assert httpserver.log == []

    @pytest.mark.parametrize("address", ["10.0.0.7", "169.254.169.254", "127.0.0.1", "::1"])
    async def test_that_resolves_to_a_private_one_is_refused(self, address: str) -> None:
        message = MESSAGE.model_copy(update={"address": "https://hooks.example/T1"})
        channel = SlackChannel(Given(message), outbound=outbound("8.8.8.8", address))
        assert (await channel.send("chn_1", DELIVERY)).outcome == "refused"

    @pytest.mark.parametrize("address", ["http://hooks.example/T1", "ftp://hooks.example/T1", "https://", "nonsense"])
    async def test_that_is_none_is_refused(self, address: str) -> None:
        channel = SlackChannel(Given(MESSAGE.model_copy(update={"address": address})), outbound=outbound("127.0.0.1"))
        result = await channel.send("chn_1", DELIVERY)
        assert result.outcome in {"refused", "failed"}

    async def test_that_has_no_host_now_is_tried_again(self) -> None:
        async def resolve(_host: str, _port: int) -> list[str]:
            raise OSError(-3, "Temporary failure in name resolution")

        message = MESSAGE.model_copy(update={"address": "https://hooks.example/T1"})
        result = await SlackChannel(Given(message), outbound=GuardedClients(resolve=resolve)).send("chn_1", DELIVERY)
        assert (result.outcome, "name resolution" in result.detail) == ("failed", True)


def test_the_factory_gives_the_channel_slack() -> None:
    (made,) = build(ChannelContext(messages=Given(), setting=dict[str, str]().__getitem__, outbound=outbound()))
    assert made.kind == "slack"
