"""Friday, longer talks: amended amounts, questions and answers, a vote handed on, more time, and a request taken back."""

from pydantic import JsonValue

from tests.end_to_end.three_days import doors
from tests.end_to_end.three_days.channels import follows, mailed_link
from tests.end_to_end.three_days.story import Claim, Story


def changed(amount: int) -> dict[str, JsonValue]:
    """Return the content of an amendment: both bound calls get the new amount."""
    return {"arguments": {step: {"amount_micros": amount} for step in ("settle.reserve", "settle.pay")}}


async def _amends(story: Story, who: str, claim: Claim, amount: int) -> str:
    """Amend a claim's amount; return the digest of before."""
    before = claim.digest
    await doors.by_api(story, who, claim, "amend", **changed(amount))
    assert (await story.fresh(claim)).digest != before
    return before


async def amendments(story: Story) -> None:
    """An amended amount has a new digest: votes, digests and links of before do not count any more, and the new sum is paid."""
    voted, plain = [*await story.ask("pair", "amended-1"), *await story.ask("plain", "amended-2")]
    await doors.by_api(story, "anna", voted)
    old = await _amends(story, "ben", voted, 77_000_001)
    await doors.by_api(story, "ben", voted)
    assert (await story.fresh(voted)).state == "open"  # anna's yes was to another sum
    assert await doors.refused(story, "anna", voted, digest=old) == (422, "stale-digest")
    await doors.by_api(story, "anna", voted)
    story.approved(voted, "anna", "ben", "anna", via="rest", paid=77_000_001)
    link = await mailed_link(story, "ben", plain)
    await _amends(story, "anna", plain, 12_345)
    status, page = await link.decide("approve", "ben by an old link")
    assert (status, "was changed" in page) == (409, True), page
    await follows(await mailed_link(story, "ben", plain, saying="Changed, decision asked"), "ben", plain)
    story.approved(plain, "ben", via="mail", paid=12_345)


async def questions(story: Story) -> None:
    """A reviewer asks, the requester answers, and only then is decided."""
    (asked,) = await story.ask("plain", "asked-1")
    await doors.by_api(story, "anna", asked, "request_info")
    assert await doors.refused(story, "anna", asked, "request_info") == (409, "already-decided")
    await doors.by_api(story, "olga", asked, "give_info")
    await doors.by_api(story, "anna", asked)
    story.approved(asked, "anna", via="rest")


async def hand_over(story: Story) -> None:
    """A vote handed to somebody without the role counts as its owner's; a requester takes a question back."""
    handed, taken_back = await story.ask("plain", "handed-1", "withdrawn-1")
    assert await doors.refused(story, "sten", handed) == (403, "forbidden")
    await doors.by_api(story, "anna", handed, "delegate", to=story.house.people.principal("sten"))
    await doors.by_api(story, "sten", handed)
    story.approved(handed, "sten", via="rest", for_whom="anna")
    await doors.by_api(story, "olga", taken_back, "withdraw")
    story.failed(taken_back, "approval-withdrawn")


async def batches(story: Story) -> None:
    """Several decisions in one request, each answered by itself."""
    names = [f"batch-{place}" for place in range(1, 7)]
    claims = await story.ask("plain", *names)
    verdicts = {name: "reject" if name == "batch-6" else "approve" for name in names}
    assert await doors.by_batch(story, "ben", verdicts) == [(200, None)] * 6
    for claim in claims[:-1]:
        story.approved(claim, "ben", via="batch")
    story.failed(claims[-1], "approval-rejected", by=["ben"], via="batch")
    assert await doors.by_batch(story, "anna", {"batch-1": "approve"}) == [(409, "approval-closed")]
    story.refused.append(("batch-1", "anna", "approval-closed"))
