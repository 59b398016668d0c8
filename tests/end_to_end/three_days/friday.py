"""Friday: questions that are answered at once, through every door, and what is refused on the way."""

import asyncio

from domain.approval import Decision
from tests.end_to_end.three_days import doors
from tests.end_to_end.three_days.story import Story, until
from workflows.messages import APPROVE


def names(stem: str, count: int) -> list[str]:
    """Return names of claims."""
    return [f"{stem}-{place + 1}" for place in range(count)]


async def friday_morning(story: Story) -> None:
    """Plain questions, answered at once through every door."""
    claims = await story.ask("plain", *names("rest", 5), *names("client", 4), *names("signal", 3), *names("cli", 2), *names("no", 2))
    by_stem = {stem: [claim for claim in claims if claim.name.split("-")[0] == stem] for stem in ("rest", "client", "signal", "cli", "no")}
    for place, claim in enumerate(by_stem["rest"]):
        who = ("anna", "ben")[place % 2]
        await doors.by_api(story, who, claim)
        story.approved(claim, who, via="rest")
    await asyncio.gather(*(doors.by_client(story, "anna", claim) for claim in by_stem["client"]))
    for claim in by_stem["signal"]:
        assert await doors.by_signal(story, "ben", claim) == 202
        story.approved(claim, "ben", via="signal")
    for claim in by_stem["cli"]:
        await doors.by_command_line(story.house, "anna", "approve", claim.run, "--comment", "anna by command line")
        story.approved(claim, "anna", via="cli")
    for claim in by_stem["no"]:
        await doors.by_api(story, "ben", claim, "reject")
        story.failed(claim, "approval-rejected", by=["ben"], via="rest")


async def friday_refusals(story: Story) -> None:
    """A race, a self-approval, a stale digest."""
    raced, own, stale = await story.ask("plain", "race-1", "own-1", "stale-1")
    answers = await asyncio.gather(doors.posted(story, "anna", raced), doors.posted(story, "ben", raced, "reject"))
    assert sorted(status for status, _ in answers) == [200, 409], answers
    lost = next(body for status, body in answers if status == 409)
    assert lost["code"] == "approval-closed", lost
    if answers[0][0] == 200:
        story.approved(raced, "anna", via="rest")
    else:
        story.failed(raced, "approval-rejected", by=["ben"], via="rest")
    story.refused.append((raced.name, "ben" if answers[0][0] == 200 else "anna", "approval-closed"))
    assert await doors.refused(story, "olga", own) == (403, "forbidden")
    await doors.by_api(story, "anna", own)
    story.approved(own, "anna", via="rest")
    assert await doors.refused(story, "anna", stale, digest="0" * 64) == (422, "stale-digest")
    await doors.by_api(story, "ben", stale)
    story.approved(stale, "ben", via="rest")


async def forgeries(story: Story) -> None:
    """Signals sent past the gateway, in a clerk's name: nothing is decided, and the ledger keeps who claimed what."""
    (forged,) = await story.ask("plain", "forged-1")
    run = story.house.client.get_workflow_handle(forged.run)
    for place in range(2):
        claimed = Decision(
            decision_id=f"dec_forged_{place}",
            approval=forged.approval,
            verdict="approve",
            digest=forged.digest,
            principal=story.house.people.principal("anna"),
            attestation="0" * 64 * place,
        )
        await run.signal(APPROVE, claimed)
    await doors.by_api(story, "ben", forged)
    story.approved(forged, "ben", via="rest")

    async def noted() -> bool:
        return len(await story.facts(forged, "workflow:decision:refused")) == 2

    await until(noted, what="two refused signals in the ledger")


async def friday_noon(story: Story) -> None:
    """A deadline passes; whoever decides afterwards is late. Another one was put off."""
    late, longer = await story.ask("short", "late-1", "extended-1")
    later = story.house.time.clock.at(0, "13:00", since=story.friday)
    await doors.by_api(story, "olga", longer, "extend", deadline=later.isoformat())
    await story.goes_to(0, "11:59")
    closed = await story.closed(late)
    assert closed.state == "timed_out", closed
    assert await doors.refused(story, "anna", late) == (409, "approval-closed")
    story.failed(late, "approval-rejected")
    await doors.by_api(story, "ben", longer)
    story.approved(longer, "ben", via="rest")


async def friday_groups(story: Story) -> None:
    """Two clerks and one in finance have to agree; no one of them is enough, and finance alone can refuse."""
    agreed, vetoed = await story.ask("both", "both-1", "both-2")
    for who in ("anna", "carla"):
        await doors.by_api(story, who, agreed)
        assert (await story.fresh(agreed)).state == "open"
    assert await doors.refused(story, "anna", agreed) == (409, "already-decided")
    await doors.by_api(story, "ben", agreed)
    story.approved(agreed, "anna", "ben", "carla", via="rest")
    await doors.by_api(story, "anna", vetoed)
    await doors.by_api(story, "dario", vetoed, "reject")
    story.failed(vetoed, "approval-rejected", by=["anna", "dario"], via="rest")
