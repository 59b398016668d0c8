"""Channels to reviewers by entry point, the address reviewers reach, and the settings that plugins read."""

from importlib.metadata import EntryPoint

import pytest
from pydantic import SecretStr

from domain.channels import ChannelContext
from domain.deliveries import AttemptResult, Outgoing
from domain.errors import InvalidInput
from tests.outbound import outbound
from tests.review_messages import Given
from wiring.channel_plugins import channel_kinds, load_entry_points
from wiring.channels import channel_setting, public_url
from wiring.settings import ChannelSettings, GatewaySettings

HERE = "tests.wiring.test_channels"
CONTEXT = ChannelContext(messages=Given(), setting=dict[str, str]().__getitem__, outbound=outbound())


class Pigeon:
    """A plugin's channel."""

    def __init__(self, kind: str = "pigeon") -> None:
        self.kind = kind

    async def send(self, endpoint: str, delivery: Outgoing) -> AttemptResult:
        """Let it fly."""
        return AttemptResult(outcome="sent", detail=f"{endpoint} {delivery.delivery}")

    async def aclose(self) -> None:
        """Nothing to close."""


def pigeon(context: ChannelContext) -> list[Pigeon]:
    """A plugin's factory."""
    assert context is CONTEXT
    return [Pigeon()]


def other_kind(_context: ChannelContext) -> list[Pigeon]:
    """A factory of a channel that is called something else."""
    return [Pigeon("owl")]


def no_channels(_context: ChannelContext) -> list[str]:
    """A factory that is wrong."""
    return ["a text"]


def webhook(_context: ChannelContext) -> list[Pigeon]:
    """A factory that would take the platform's own kind."""
    return [Pigeon("webhook")]


NOT_CALLABLE = "a constant"


def point(name: str, value: str | None = None) -> EntryPoint:
    return EntryPoint(name=name, value=f"{HERE}:{value or name}", group="standfast.channels")


class TestEntryPoints:
    def test_bring_the_channels_of_their_factories(self) -> None:
        assert [channel.kind for channel in load_entry_points(CONTEXT, found=[point("pigeon")])] == ["pigeon"]

    @pytest.mark.parametrize(
        ("found", "reason"),
        [
            (point("no_channels"), "no channel"),
            (point("NOT_CALLABLE"), "no factory"),
            (point("absent"), "cannot be loaded"),
            (point("other_kind"), "of the kind 'owl': name the entry point after its kind"),
            (point("webhook"), "two channels have the kind webhook"),
        ],
    )
    def test_are_refused_with_their_name_when_they_are_wrong(self, found: EntryPoint, reason: str) -> None:
        with pytest.raises(InvalidInput, match=reason):
            load_entry_points(CONTEXT, found=[found])

    def test_of_one_kind_are_refused_when_there_are_two(self) -> None:
        with pytest.raises(InvalidInput, match="two channels have the kind pigeon"):
            load_entry_points(CONTEXT, found=[point("pigeon"), point("pigeon")])

    def test_are_named_without_being_loaded(self) -> None:
        assert channel_kinds(found=[point("slack", "absent"), point("email", "absent")]) == ("email", "slack")

    def test_of_this_installation_are_mail_and_slack(self) -> None:
        assert {"email", "slack"} <= set(channel_kinds())
        assert [channel.kind for channel in load_entry_points(CONTEXT)] == ["slack"], "no mails without a mail server"


class TestPublicUrl:
    def url(self, given: str | None, *, production: bool = False, host: str = "127.0.0.1") -> str:
        """Return the address for a setting."""
        return public_url(ChannelSettings(public_url=given), GatewaySettings(host=host, port=8080), production=production)

    def test_is_the_gateways_own_unless_it_is_set(self) -> None:
        assert self.url(None) == "http://127.0.0.1:8080"
        assert self.url(None, host="::1") == "http://[::1]:8080"
        assert self.url("https://standfast.example/base/") == "https://standfast.example/base"

    @pytest.mark.parametrize(
        "given", ["standfast.example", "ftp://standfast.example", "https://", "https://a:b@c.example", "https://a.b/?x=1"]
    )
    def test_is_refused_when_no_link_can_begin_with_it(self, given: str) -> None:
        with pytest.raises(InvalidInput, match="STANDFAST_PUBLIC_URL"):
            self.url(given)

    def test_is_https_in_production(self) -> None:
        with pytest.raises(InvalidInput, match="https"):
            self.url("http://standfast.example", production=True)


class TestSettings:
    def test_are_read_by_name(self) -> None:
        given = ChannelSettings(smtp_host="mail.example", smtp_port=26, smtp_password=SecretStr("s"), plugins={"PIGEON": SecretStr("coo")})
        setting = channel_setting(given)
        names = ("STANDFAST_SMTP_HOST", "STANDFAST_SMTP_PORT", "STANDFAST_SMTP_PASSWORD", "PIGEON")
        assert [setting(name) for name in names] == ["mail.example", "26", "s", "coo"]

    def test_that_are_not_set_say_how_to(self) -> None:
        with pytest.raises(LookupError, match="STANDFAST_CHANNEL_SETTINGS"):
            channel_setting(ChannelSettings())("PIGEON")
