"""Messages to reviewers for tests of channels, and a source that gives them."""

from dataclasses import dataclass, field

from domain.channels import ReviewMessage
from domain.deliveries import AttemptResult, Outgoing
from domain.events import Event
from domain.review_summary import ReviewSummary, ShownArgument, ShownCall

LINK = "https://standfast.example/a/1.e30.c2ln"
AT = "2026-01-05T09:00:00.000000+00:00"
CALL = ShownCall(
    step="settle.pay",
    tool="bank.pay",
    version="1.0.0",
    arguments=(
        ShownArgument(place="amount", text="250"),
        ShownArgument(place="to.name", text='"Zoë <b>& co</b>"'),
        ShownArgument(place="reservation", text="not known yet", bound=False),
    ),
)
SUMMARY = ReviewSummary(
    approval="apr_" + "0" * 26,
    run="run_" + "1" * 26,
    definition="delay-claim",
    step="gate",
    title="Pay 250 to Zoë?",
    digest="ab" * 32,
    requester="operator",
    opened_at=AT,
    deadline="2026-01-06T09:00:00.000000+00:00",
    calls=(CALL,),
    cost_usd_micros=250_000,
)
MESSAGE = ReviewMessage(
    message="evt_" + "2" * 26,
    event="approval.opened",
    address="zoe@example.org",
    heading="Decision asked: Pay 250 to Zoë?",
    lines=("Decide until Tuesday.",),
    link=LINK,
    summary=SUMMARY,
    expires_at=SUMMARY.deadline,
)
DELIVERY = Outgoing(
    tenant="default",
    delivery="dlv_" + "3" * 26,
    channel="email",
    endpoint="chn_1/prn_1",
    event=Event(id=MESSAGE.message, type=MESSAGE.event, at=AT, tenant="default", run=SUMMARY.run),
    at=AT,
)


@dataclass
class Given:
    """A MessageSource that gives what it was given."""

    message_: ReviewMessage | AttemptResult = MESSAGE
    asked: list[str] = field(default_factory=list[str])

    async def message(self, endpoint: str, delivery: Outgoing) -> ReviewMessage | AttemptResult:
        """Return it."""
        assert delivery.tenant == "default"
        self.asked.append(endpoint)
        return self.message_
