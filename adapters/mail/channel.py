"""The channel `email`, and the factory that its entry point names."""

import time
from ipaddress import ip_address

from adapters.mail.letter import letter
from adapters.mail.smtp import Security, SmtpServer, hand_over
from domain.channels import ChannelContext, MessageSource, checked_address
from domain.deliveries import AttemptResult, Channel, Outgoing
from domain.errors import InvalidInput

KIND = "email"
PORTS: dict[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
"""RFC 6409 (submission), RFC 8314 (implicit TLS), RFC 5321."""


class MailChannel:
    """Implements `Channel`.

    Args:
        messages: What to say.
        server: Where mails go.
        sender: The address they come from.
    """

    def __init__(self, messages: MessageSource, *, server: SmtpServer, sender: str) -> None:
        self._messages = messages
        self._server = server
        self._sender = sender

    @property
    def kind(self) -> str:
        """The channel of mails."""
        return KIND

    async def send(self, endpoint: str, delivery: Outgoing) -> AttemptResult:
        """Make one attempt."""
        message = await self._messages.message(endpoint, delivery)
        if isinstance(message, AttemptResult):
            return message
        try:
            to = checked_address(KIND, message.address, where="/address")
            mail = letter(message, sender=self._sender, delivery=delivery.delivery, at=delivery.event.at)
        except (InvalidInput, ValueError) as error:
            return AttemptResult(outcome="refused", detail=f"no mail can be written: {error}")
        began = time.monotonic()
        result = await hand_over(self._server, mail, sender=self._sender, to=to)
        return result.model_copy(update={"duration_ms": int((time.monotonic() - began) * 1000)})

    async def aclose(self) -> None:
        """Nothing stays open between attempts."""


def build(context: ChannelContext) -> list[Channel]:
    """Return the channel, or none where no mail server is set.

    Raises:
        InvalidInput: the settings do not fit together, or would send mail and password in plain text over a network.
    """
    host = _setting(context, "STANDFAST_SMTP_HOST")
    if not host:
        return []
    security = _setting(context, "STANDFAST_SMTP_SECURITY") or "starttls"
    if security not in PORTS:
        raise InvalidInput(f"STANDFAST_SMTP_SECURITY is {security!r}: write starttls, tls or none")
    if security == "none" and not (context.allow_private or _is_loopback(host)):
        raise InvalidInput("STANDFAST_SMTP_SECURITY=none would send links in plain text: use starttls or tls, or a server on this machine")
    sender = _setting(context, "STANDFAST_MAIL_FROM")
    if not sender:
        raise InvalidInput("STANDFAST_MAIL_FROM is not set: give the address that mails come from")
    server = SmtpServer(
        host=host,
        port=int(_setting(context, "STANDFAST_SMTP_PORT") or PORTS[security]),
        security=security,
        username=_setting(context, "STANDFAST_SMTP_USERNAME"),
        password=_setting(context, "STANDFAST_SMTP_PASSWORD"),
    )
    return [MailChannel(context.messages, server=server, sender=checked_address(KIND, sender, where="STANDFAST_MAIL_FROM"))]


def _setting(context: ChannelContext, name: str) -> str | None:
    try:
        return context.setting(name) or None
    except LookupError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
