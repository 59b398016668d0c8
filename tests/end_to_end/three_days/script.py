"""The script: what happens on Friday, at the weekend and on Monday. Each act notes in the story what it expects of the end."""

import asyncio

from tests.end_to_end.three_days import doors
from tests.end_to_end.three_days.story import Story


def names(stem: str, count: int) -> list[str]:
    """Return names of claims."""
    return [f"{stem}-{place + 1}" for place in range(count)]


async def friday_morning(story: Story) -> None:
    """Plain questions, answered at once through every door."""
    claims = await story.ask("plain", *names("rest", 6), *names("client", 6), *names("signal", 4), *names("cli", 2), *names("no", 2))
    by_stem = {stem: [claim for claim in claims if claim.name.split("-")[0] == stem] for stem in ("rest", "client", "signal", "cli", "no")}
    for place, claim in enumerate(by_stem["rest"]):
        who = ("anna", "ben")[place % 2]
        assert (await doors.by_api(story, who, claim))[0] == 200
        story.approved(claim, who, via="rest")
    await asyncio.gather(*(doors.by_client(story, "anna", claim) for claim in by_stem["client"]))
    for claim in by_stem["signal"]:
        assert await doors.by_signal(story, "ben", claim) == 202
        story.approved(claim, "ben", via="signal")
    for claim in by_stem["cli"]:
        await doors.by_command_line(story.house, "anna", "approve", claim.run, "--comment", "anna by command line")
        story.approved(claim, "anna", via="cli")
    for claim in by_stem["no"]:
        assert (await doors.by_api(story, "ben", claim, "reject"))[0] == 200
        story.failed(claim, "approval-rejected", by=["ben"], via="rest")


async def friday_refusals(story: Story) -> None:
    """A race, a self-approval, a stale digest."""
    raced, own, stale = await story.ask("plain", "race-1", "own-1", "stale-1")
    answers = await asyncio.gather(doors.by_api(story, "anna", raced), doors.by_api(story, "ben", raced, "reject"))
    assert sorted(status for status, _ in answers) == [200, 409], answers
    lost = next(body for status, body in answers if status == 409)
    assert lost["code"] == "approval-closed", lost
    if answers[0][0] == 200:
        story.approved(raced, "anna", via="rest")
    else:
        story.failed(raced, "approval-rejected", by=["ben"], via="rest")
    story.refused.append((raced.name, "ben" if answers[0][0] == 200 else "anna", "approval-closed"))
    assert await doors.refused(story, "olga", own) == (403, "forbidden")
    assert (await doors.by_api(story, "anna", own))[0] == 200
    story.approved(own, "anna", via="rest")
    assert await doors.refused(story, "anna", stale, digest="0" * 64) == (422, "stale-digest")
    assert (await doors.by_api(story, "ben", stale))[0] == 200
    story.approved(stale, "ben", via="rest")


async def friday_noon(story: Story) -> None:
    """A deadline passes; whoever decides afterwards is late."""
    (late,) = await story.ask("short", "late-1")
    await story.goes_to(0, "11:59")
    closed = await story.closed(late)
    assert closed.state == "timed_out", closed
    assert await doors.refused(story, "anna", late) == (409, "approval-closed")
    story.failed(late, "approval-rejected")


SCRIPT = (friday_morning, friday_refusals, friday_noon)
"""The acts, in their order."""
