"""Friday, channels: links in mails and Slack messages, and an integration that decides when a webhook tells it to."""

import json
import re

from tests.end_to_end.three_days import doors
from tests.end_to_end.three_days.pages import LinkVisit
from tests.end_to_end.three_days.people import CLERK, FINANCE, LEAD
from tests.end_to_end.three_days.story import Claim, Story, until

OPENED = "approval.opened"
TOLD = [OPENED, "approval.reminded", "approval.escalated", "approval.amended"]
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/a/[A-Za-z0-9_.-]+")


async def set_up(story: Story) -> None:
    """Clerks and leads get mails, finance is told through Slack, and an integration of the clerks listens for events."""
    house = story.house
    hook = {"url": f"{house.web.url}/hook", "events": ["approval.*", "run.*"], "description": "the clerks' integration"}
    made = await house.people.browsers["olga"].post("/v1/webhooks", json=hook)
    assert made.status_code == 201, made.text
    story.hook_secret = made.json()["secret"]
    admin = house.people.browsers["olga"]
    reached = (("email", CLERK, ("anna", "ben", "olga")), ("email", LEAD, ("lea", "sten")), ("slack", FINANCE, ("carla",)))
    for kind, role, people in reached:
        made = await admin.post("/v1/channels", json={"name": f"{kind} to {role}", "kind": kind, "role": role, "events": TOLD})
        assert made.status_code == 201, made.text
        for who in people:
            address = f"{who}@claims.example" if kind == "email" else f"{house.web.url}/slack/{who}"
            stored = await admin.put(f"/v1/contacts/{house.people.principal(who)}/{kind}", json={"address": address})
            assert stored.status_code == 200, stored.text


async def mailed_link(story: Story, who: str, claim: Claim, *, saying: str = "Decision asked") -> LinkVisit:
    """Return the link in the mail that asks somebody about a claim, the subject beginning so."""

    async def look() -> str | None:
        for taken in list(story.house.mails.taken):
            subject = str(taken.mail["Subject"])
            if taken.to == [f"{who}@claims.example"] and subject.startswith(saying) and f" for {claim.name}?" in subject:
                return _LINK.findall(taken.part("plain"))[0]
        return None

    return LinkVisit(await until(look, what=f"the mail to {who} about {claim.name}"))


async def slack_link(story: Story, who: str, claim: Claim) -> LinkVisit:
    """Return the link in the Slack message that asks this reviewer about a claim."""

    async def look() -> str | None:
        for post in story.house.web.at(f"/slack/{who}"):
            said = json.loads(post.body)
            if f" for {claim.name}?" in said["text"]:
                return next(each["url"] for block in said["blocks"] if block["type"] == "actions" for each in block["elements"])
        return None

    return LinkVisit(await until(look, what=f"the Slack message to {who} about {claim.name}"))


async def links(story: Story) -> None:
    """Mail scanners open every link and nothing is decided; then people follow theirs, and each link works once."""
    mailed = await story.ask("plain", "mail-1", "mail-2", "mail-3", "mail-4", "mail-5")
    slacked = await story.ask("money", "slack-1", "slack-2", "slack-3")
    visits = {claim.name: await mailed_link(story, "anna", claim) for claim in mailed}
    visits |= {claim.name: await slack_link(story, "carla", claim) for claim in slacked}
    for claim in (*mailed, *slacked):
        await visits[claim.name].scan()
        assert (await story.fresh(claim)).state == "open", f"a scanner decided {claim.name}"
        assert set(visits[claim.name].seen) == {200, 405}, "the page was not there for the scanner"
    for claim in mailed[:-1]:
        await follows(visits[claim.name], "anna", claim)
        story.approved(claim, "anna", via="mail")
    other = await mailed_link(story, "ben", mailed[-1])
    status, _ = await other.decide("reject", "ben by link")
    assert status == 200
    story.failed(mailed[-1], "approval-rejected", by=["ben"], via="mail")
    assert (await visits[mailed[-1].name].decide("approve", "too late"))[0] == 410
    for claim in slacked:
        await follows(visits[claim.name], "carla", claim)
        story.approved(claim, "carla", via="slack")
    assert not [taken for taken in story.house.mails.taken if taken.to == ["olga@claims.example"]], "the requester was asked"


async def follows(visit: LinkVisit, who: str, claim: Claim) -> None:
    """Approve by a link, which then is used up."""
    status, page = await visit.decide("approve", f"{who} by link")
    assert status == 200, page
    assert (await visit.decide("approve", "once more"))[0] == 410, claim.name


async def webhooks(story: Story) -> None:
    """An integration reads the event, looks the approval up and decides in ben's name."""
    claims = await story.ask("plain", "hook-1", "hook-2", "hook-3")
    for claim in claims:
        event = await until(lambda claim=claim: _event(story, OPENED, claim), what=f"the webhook about {claim.name}")
        assert event["run"] == claim.run
        await doors.by_api(story, "ben", claim)
        story.approved(claim, "ben", via="webhook")


async def _event(story: Story, name: str, claim: Claim) -> dict[str, object] | None:
    events = [json.loads(post.body) for post in story.house.web.at("/hook")]
    return next((each for each in events if each["type"] == name and each["run"] == claim.run), None)
