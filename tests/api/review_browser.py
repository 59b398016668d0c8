"""A browser for pages of signed links: what it makes of a page, and a reviewer who follows a link and fills in the forms."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx2
from pydantic import JsonValue

from domain.people_stores import DecisionRow
from domain.review_links import LinkRequest, signed_token
from tests.api.gateway import LINK_KEYS, Gateway, fresh_id


@dataclass
class Page(HTMLParser):
    """What a browser makes of a page: its text, the hidden fields, labels and links."""

    html: str
    words: list[str] = field(default_factory=list[str])
    fields: dict[str, str] = field(default_factory=dict[str, str])
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(re.sub(r"<style>.*?</style>", "", self.html, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        said = {name: value or "" for name, value in attrs}
        self.tags.append((tag, said))
        if tag == "input" and said.get("type") == "hidden":
            self.fields[said["name"]] = said["value"]

    def handle_data(self, data: str) -> None:
        """Remember it."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """The page's words with single spaces."""
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every such tag."""
        return [said for name, said in self.tags if name == tag]


@dataclass
class Reviewer:
    """A browser with a link; `who` is its reviewer."""

    house: Gateway
    token: str

    def get(self, **options: str) -> httpx2.Response:
        """Open the link."""
        return self.house.client(None).get(f"/a/{self.token}", headers=options)

    def post(self, fields: dict[str, str]) -> httpx2.Response:
        """Send a form."""
        return self.house.client(None).post(f"/a/{self.token}", data=fields)

    def answer(self, verdict: str = "approve", comment: str = "") -> httpx2.Response:
        """Fill in the first form and send it."""
        return self.post({**Page(self.get().text).fields, "verdict": verdict, "comment": comment})

    def decide(self, verdict: str = "approve", comment: str = "") -> httpx2.Response:
        """Fill in both forms."""
        return self.confirm(self.answer(verdict, comment))

    def confirm(self, asked: httpx2.Response) -> httpx2.Response:
        """Tick the box of the second form and send it."""
        return self.post({**Page(asked.text).fields, "sure": "yes"})


def reviewer(house: Gateway, approval: str, who: str = "approver", **changes: str) -> Reviewer:
    """Return a browser with the link of a reviewer to an approval; `changes` alter what the link says."""
    opened = house.temporal.approvals[approval]
    wanted = LinkRequest(
        tenant="default",
        approval=approval,
        digest=opened.digest,
        reviewer=house.principals[who].id,
        link=fresh_id("lnk"),
        opened_at=opened.opened_at,
        deadline=opened.deadline,
    )
    return Reviewer(house, signed_token(LINK_KEYS, wanted._replace(**changes), generation=1))


def asked(house: Gateway, who: str = "approver") -> Reviewer:
    """Return a reviewer with a link to a new approval."""
    return reviewer(house, house.open_approval(house.start()), who)


def decisions(house: Gateway) -> list[DecisionRow]:
    """Return what was stored."""
    return list(house.stores.database.decisions.values())


def show(house: Gateway, arguments: dict[str, JsonValue], *, title: str = "Pay?", unbound: tuple[str, ...] = ()) -> Reviewer:
    """Return a link to an approval that shows these arguments."""
    approval = house.open_approval(house.start())
    row = house.stores.database.approvals["default", approval]
    calls: list[dict[str, JsonValue]] = [{"step": "settle.pay", "tool": "bank.pay", "version": "1.0.0", "arguments": arguments}]
    shown = row.projection.model_copy(update={"calls": calls, "title": title, "unbound": list(unbound)})
    house.stores.database.approvals["default", approval] = row.model_copy(update={"projection": shown})
    return reviewer(house, approval)
