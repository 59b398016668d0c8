"""From Friday afternoon to Monday: working hours, a reminder, an escalation, and a lead who is away."""

from datetime import datetime, timedelta

from tests.end_to_end.three_days import doors
from tests.end_to_end.three_days.channels import follows, mailed_link
from tests.end_to_end.three_days.clock import ZONE
from tests.end_to_end.three_days.payouts import OFFICE
from tests.end_to_end.three_days.story import Claim, Story, until

REMINDED, ESCALATED = "workflow:approval:reminded", "workflow:approval:escalated"


async def friday_afternoon(story: Story) -> None:
    """At 16:00 questions are opened that count working hours; the lead names who decides for her on Monday."""
    await story.goes_to(0, "15:59")
    stored = await story.house.people.browsers["olga"].put("/v1/calendars/office", json=OFFICE)
    assert stored.status_code == 200, stored.text
    for claim in await story.ask("office", "office-1", "office-2", "office-3"):
        shown = await story.fresh(claim)
        assert shown.deadline is not None
        assert _local(story, shown.deadline) == (3, "16:00"), shown.deadline  # an hour on Friday, seven on Monday
    people = story.house.people
    away = {"substitute": people.principal("sten"), "from": _instant(story, 3, "00:00"), "to": _instant(story, 4, "00:00")}
    named = await people.browsers["lea"].post("/v1/substitutes", json=away)
    assert named.status_code == 201, named.text
    (lead,) = await story.ask("lead", "lead-1")
    assert await doors.refused(story, "sten", lead) == (403, "forbidden")  # it is only Friday


async def weekend(story: Story) -> None:
    """Nothing happens on Saturday and Sunday, though the clocks go forward."""
    for day in (1, 2):
        await story.goes_to(day, "12:00")
        for claim in _office(story):
            assert (await story.fresh(claim)).state == "open"
            assert await story.facts(claim, REMINDED) == []
            assert await story.facts(claim, ESCALATED) == []


async def monday(story: Story) -> None:
    """A reminder at ten, one person in finance decides; at noon the rest goes to the lead, whose substitute decides."""
    first, second, third = _office(story)
    await story.goes_to(3, "09:59")
    assert await story.facts(second, REMINDED) == []
    await story.goes_to(3, "10:01")
    for claim in (first, second, third):
        await _told(story, claim, REMINDED)
    await doors.by_api(story, "carla", first)
    story.approved(first, "carla", via="rest")
    assert await doors.refused(story, "sten", second) == (403, "forbidden")  # the lead is not asked yet, so nobody is in her place
    await story.goes_to(3, "12:01")
    for claim in (second, third):
        await _told(story, claim, ESCALATED)
    await follows(await mailed_link(story, "sten", second, saying="Escalated, decision asked"), "sten", second)
    story.approved(second, "sten", via="mail", for_whom="lea")
    await doors.by_api(story, "sten", story.claims["lead-1"])
    story.approved(story.claims["lead-1"], "sten", via="rest", for_whom="lea")
    await story.goes_to(3, "16:01")
    assert (await story.closed(third)).state == "timed_out"
    story.failed(third, "approval-rejected")
    assert await doors.refused(story, "lea", third) == (409, "approval-closed")


def _office(story: Story) -> list[Claim]:
    return [claim for claim in story.claims.values() if claim.kind == "office"]


async def _told(story: Story, claim: Claim, kind: str) -> None:
    async def look() -> bool:
        return len(await story.facts(claim, kind)) == 1

    await until(look, what=f"{kind} for {claim.name}")


def _instant(story: Story, day: int, hour: str) -> str:
    return story.house.time.clock.at(day, hour, since=story.friday).isoformat()


def _local(story: Story, instant: str) -> tuple[int, str]:
    """Return a time as (days after the Friday, hour in ZONE), where a minute more or less does not count."""
    at = datetime.fromisoformat(instant).astimezone(ZONE)
    rounded = at + timedelta(minutes=2)
    return (rounded.date() - story.friday).days, f"{rounded:%H}:00"
