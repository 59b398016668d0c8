"""Mails to reviewers, against a server that speaks SMTP."""

import ssl
from collections.abc import Generator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.channel import MailChannel, build
from adapters.mail.letter import letter
from adapters.mail.smtp import SmtpServer
from domain.channels import ChannelContext, ReviewMessage
from domain.deliveries import AttemptResult
from domain.errors import InvalidInput
from tests.outbound import outbound
from tests.review_messages import AT, CALL, DELIVERY, LINK, MESSAGE, SUMMARY, Given
from tests.servers.smtp_server import HOST, SmtpSink, certificate, smtp_server
from wiring.embedded.ports import free_ports

SENDER = "standfast@example.com"


@pytest.fixture(name="sink")
def _sink() -> Generator[SmtpSink]:
    with smtp_server(SmtpSink()) as sink:
        yield sink


@pytest.fixture(name="contexts", scope="module")
def _contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return certificate(tmp_path_factory.mktemp("tls"))


def channel(sink: SmtpSink, message: ReviewMessage | AttemptResult = MESSAGE, **options: object) -> MailChannel:
    given = {"host": HOST, "port": sink.port, "security": "none", "timeout_s": 2.0, **options}
    return MailChannel(Given(message), server=SmtpServer(**given), sender=SENDER)  # pyright: ignore[reportArgumentType]  # tests name single fields


class TestMail:
    async def test_says_what_will_happen_as_text_and_as_html(self, sink: SmtpSink) -> None:
        result = await channel(sink).send("chn_1/prn_1", DELIVERY)
        assert (result.outcome, result.status) == ("sent", 250)
        (taken,) = sink.taken
        assert (taken.sender, taken.to) == (SENDER, ["zoe@example.org"])
        for text in (taken.part("plain"), taken.part("html")):
            for words in ("Decision asked", "bank.pay", "1.0.0", "amount", "250", "reservation", "operator", "$0.25", SUMMARY.digest, LINK):
                assert words in text
        assert 'to.name: "Zoë <b>& co</b>"' in taken.part("plain")
        assert "&quot;Zoë &lt;b&gt;&amp; co&lt;/b&gt;&quot;" in taken.part("html")
        assert "Do not forward it" in taken.part("plain")

    async def test_names_its_subject_sender_and_kind(self, sink: SmtpSink) -> None:
        await channel(sink).send("chn_1/prn_1", DELIVERY)
        mail = sink.taken[0].mail
        assert mail["subject"] == "Decision asked: Pay 250 to Zoë?"
        assert mail["from"] == "Standfast <standfast@example.com>"
        assert mail["auto-submitted"] == "auto-generated"
        assert mail["references"] == f"<{SUMMARY.approval}@example.com>"

    async def test_is_byte_for_byte_the_same_on_every_attempt(self, sink: SmtpSink) -> None:
        for _ in range(2):
            await channel(sink).send("chn_1/prn_1", DELIVERY)
        first, second = sink.taken
        assert first.raw == second.raw
        assert first.mail["message-id"] == f"<{DELIVERY.delivery}@example.com>"

    async def test_without_a_link_holds_none(self, sink: SmtpSink) -> None:
        await channel(sink, MESSAGE.model_copy(update={"link": None})).send("chn_1", DELIVERY)
        assert "/a/" not in sink.taken[0].raw.decode()
        assert "Do not forward" not in sink.taken[0].part("plain")

    async def test_names_characters_that_hide(self, sink: SmtpSink) -> None:
        hidden = SUMMARY.model_copy(update={"calls": (CALL.model_copy(update={"tool": "bank\u202epay"}),)})
        await channel(sink, MESSAGE.model_copy(update={"summary": hidden})).send("chn_1/prn_1", DELIVERY)
        for text in (sink.taken[0].part("plain"), sink.taken[0].part("html")):
            assert "[U+202E RIGHT-TO-LEFT OVERRIDE]" in text
            assert "\u202e" not in text

    async def test_loads_nothing_from_elsewhere(self, sink: SmtpSink) -> None:
        await channel(sink).send("chn_1/prn_1", DELIVERY)
        html = sink.taken[0].part("html")
        assert "<img" not in html
        assert "src=" not in html
        assert html.count("http") == 1

    async def test_is_not_sent_when_there_is_nothing_to_say(self, sink: SmtpSink) -> None:
        nothing = AttemptResult(outcome="sent", detail="nothing was sent: the approval is closed")
        assert await channel(sink, nothing).send("chn_1/prn_1", DELIVERY) == nothing
        assert sink.verbs == []


class TestHeaders:
    @given(st.text())
    def test_cannot_be_added_by_what_people_write(self, text: str) -> None:
        mail = letter(MESSAGE.model_copy(update={"heading": text}), sender=SENDER, delivery=DELIVERY.delivery, at=AT)
        names = [line.partition(b":")[0].lower() for line in mail.as_bytes().partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1].strip()]
        known = {b"from", b"to", b"subject", b"date", b"message-id", b"references", b"auto-submitted", b"x-auto-response-suppress"}
        assert set(names) == known | {b"mime-version", b"content-type"}
        assert len(names) == len(set(names))

    @pytest.mark.parametrize(
        "address",
        [
            "zoe@example.org\r\nBcc: eve@evil.example",
            "zoe@example.org, eve@evil.example",
            "<zoe@example.org>",
            "zoe",
            "z@ex ample.org",
            "a\n@b.c",
        ],
    )
    async def test_cannot_be_added_by_an_address(self, sink: SmtpSink, address: str) -> None:
        message = MESSAGE.model_copy(update={"address": address})
        result = await channel(sink, message).send("chn_1/prn_1", DELIVERY)
        assert result.outcome == "refused"
        assert sink.taken == []


class TestAnswer:
    async def test_4xx_passes_and_then_it_is_taken(self, sink: SmtpSink) -> None:
        sink.answer("RCPT", "450 4.2.0 greylisted, come back")
        first = await channel(sink).send("chn_1/prn_1", DELIVERY)
        assert (first.outcome, first.status, "greylisted" in first.detail) == ("failed", 450, True)
        assert (await channel(sink).send("chn_1/prn_1", DELIVERY)).outcome == "sent"
        assert len(sink.taken) == 1

    @pytest.mark.parametrize(("verb", "line"), [("RCPT", "550 5.1.1 no such user"), ("END", "554 5.7.1 spam"), ("MAIL", "553 no")])
    async def test_5xx_stays(self, sink: SmtpSink, verb: str, line: str) -> None:
        sink.answer(verb, line)
        result = await channel(sink).send("chn_1/prn_1", DELIVERY)
        assert (result.outcome, result.status) == ("refused", int(line[:3]))
        assert sink.taken == []

    @pytest.mark.parametrize(("verb", "line", "outcome"), [("MAIL", "421 too many", "throttled"), ("END", "452 full", "failed")])
    async def test_that_it_is_too_much_passes(self, sink: SmtpSink, verb: str, line: str, outcome: str) -> None:
        sink.answer(verb, line)
        assert (await channel(sink).send("chn_1/prn_1", DELIVERY)).outcome == outcome

    async def test_that_never_comes_is_waited_for_so_long(self) -> None:
        with smtp_server(SmtpSink(silent=True)) as silent:
            result = await channel(silent, timeout_s=0.2).send("chn_1/prn_1", DELIVERY)
        assert (result.outcome, "did not answer within 0.2 s" in result.detail) == ("failed", True)

    async def test_of_nobody_is_tried_again(self, sink: SmtpSink) -> None:
        result = await channel(sink, port=1).send("chn_1/prn_1", DELIVERY)
        assert (result.outcome, "cannot be reached" in result.detail) == ("failed", True)

    async def test_that_the_password_is_wrong_is_told_without_it(self, sink: SmtpSink) -> None:
        sink.answer("AUTH", "535 5.7.8 bad credentials for s3cret")
        result = await channel(sink, username="u", password="s3cret").send("chn_1/prn_1", DELIVERY)
        assert (result.outcome, "s3cret" in result.detail) == ("failed", False)
        assert "STANDFAST_SMTP_USERNAME" in result.detail


class TestEncryption:
    @pytest.mark.parametrize("security", ["starttls", "tls"])
    async def test_covers_login_and_mail(self, contexts: tuple[ssl.SSLContext, ssl.SSLContext], security: str) -> None:
        server, client = contexts
        with smtp_server(SmtpSink(tls=server, implicit=security == "tls")) as sink:
            mails = channel(sink, security=security, context=client, username="post", password="s3cret")
            result = await mails.send("chn_1/prn_1", DELIVERY)
        assert result.outcome == "sent", result.detail
        assert (sink.taken[0].encrypted, sink.taken[0].login) == (True, "post")

    async def test_that_is_not_offered_stops_the_mail(self, sink: SmtpSink) -> None:
        result = await channel(sink, security="starttls", username="u", password="p").send("chn_1/prn_1", DELIVERY)
        assert (result.outcome, "no STARTTLS" in result.detail) == ("failed", True)
        assert "AUTH" not in sink.verbs
        assert sink.taken == []

    async def test_that_is_refused_stops_the_mail(self, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
        with smtp_server(SmtpSink(tls=contexts[0])) as sink:
            sink.answer("STARTTLS", "454 TLS not available now")
            result = await channel(sink, security="starttls", context=contexts[1]).send("chn_1/prn_1", DELIVERY)
        assert (result.outcome, sink.taken) == ("failed", [])

    @pytest.mark.parametrize("implicit", [False, True])
    async def test_with_a_certificate_of_nobody_stops_the_mail(
        self, contexts: tuple[ssl.SSLContext, ssl.SSLContext], *, implicit: bool
    ) -> None:
        with smtp_server(SmtpSink(tls=contexts[0], implicit=implicit)) as sink:
            result = await channel(sink, security="tls" if implicit else "starttls").send("chn_1/prn_1", DELIVERY)
        assert (result.outcome, sink.taken) == ("failed", [])


class TestAnotherServer:
    """The same against aiosmtpd, which nobody of this project wrote."""

    @pytest.mark.parametrize("encrypted", [True, False])
    async def test_takes_the_mail(self, contexts: tuple[ssl.SSLContext, ssl.SSLContext], *, encrypted: bool) -> None:
        box, options = Box(), {"tls_context": contexts[0], "require_starttls": True} if encrypted else {}
        controller = Controller(box, hostname=HOST, port=free_ports(1)[0], **options)  # pyright: ignore[reportArgumentType]  # passed on to its server
        controller.start()
        try:
            server = SmtpServer(host=HOST, port=controller.port, security="starttls" if encrypted else "none", context=contexts[1])
            result = await MailChannel(Given(), server=server, sender=SENDER).send("chn_1/prn_1", DELIVERY)
        finally:
            controller.stop()
        assert result.outcome == "sent", result.detail
        (envelope,) = box.taken
        assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, ["zoe@example.org"])
        assert LINK in message_from_bytes(envelope.content, policy=default).get_body(("plain",)).get_content()  # pyright: ignore[reportArgumentType, reportOptionalMemberAccess]  # aiosmtpd and email type loosely

    async def test_refuses_a_mailbox(self) -> None:
        controller = Controller(Box(answer="550 5.1.1 no such mailbox"), hostname=HOST, port=free_ports(1)[0])
        controller.start()
        try:
            server = SmtpServer(host=HOST, port=controller.port, security="none")
            result = await MailChannel(Given(), server=server, sender=SENDER).send("chn_1/prn_1", DELIVERY)
        finally:
            controller.stop()
        assert (result.outcome, result.status) == ("refused", 550)


@dataclass
class Box:
    """An aiosmtpd handler that keeps envelopes, or answers RCPT as it was told."""

    answer: str | None = None
    taken: list[Envelope] = field(default_factory=list[Envelope])

    async def handle_RCPT(self, _server: object, _session: object, envelope: Envelope, address: str, _options: object) -> str:  # noqa: N802 - aiosmtpd finds it by this name
        """Answer a recipient."""
        if self.answer is None:
            envelope.rcpt_tos.append(address)
        return self.answer or "250 ok"

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Keep a mail."""
        self.taken.append(envelope)
        return "250 taken"


class TestFactory:
    def context(self, *, allow_private: bool = True, **settings: str) -> ChannelContext:
        """Return a context with these settings."""
        return ChannelContext(messages=Given(), setting=settings.__getitem__, outbound=outbound(), allow_private=allow_private)

    def test_gives_nothing_without_a_server(self) -> None:
        assert build(self.context()) == []

    def test_gives_the_channel_email(self) -> None:
        (made,) = build(self.context(STANDFAST_SMTP_HOST="mail.example", STANDFAST_MAIL_FROM=SENDER))
        assert made.kind == "email"

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({}, "STANDFAST_MAIL_FROM"),
            ({"STANDFAST_MAIL_FROM": "nobody"}, "nobody"),
            ({"STANDFAST_MAIL_FROM": SENDER, "STANDFAST_SMTP_SECURITY": "ssl"}, "starttls, tls or none"),
            ({"STANDFAST_MAIL_FROM": SENDER, "STANDFAST_SMTP_SECURITY": "none"}, "plain text"),
        ],
    )
    def test_says_what_is_wrong_with_the_settings(self, settings: dict[str, str], named: str) -> None:
        with pytest.raises(InvalidInput, match=named):
            build(self.context(allow_private=False, STANDFAST_SMTP_HOST="mail.example", **settings))
