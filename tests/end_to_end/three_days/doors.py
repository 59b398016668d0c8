"""The ways in which people decide: REST, the Python client, the command line, the signal."""

import asyncio
import os
import sys
from pathlib import Path

from pydantic import JsonValue

from tests.end_to_end.three_days.house import House
from tests.end_to_end.three_days.story import Claim, Story

ROOT = Path(__file__).parents[3]


async def posted(story: Story, who: str, claim: Claim, verdict: str = "approve", **more: JsonValue) -> tuple[int, dict[str, JsonValue]]:
    """Decide with one POST, naming the digest the story knows; return status and body."""
    body = {"verdict": verdict, "digest": claim.digest, "comment": f"{who} by REST", **more}
    answer = await story.house.people.browsers[who].post(f"/v1/approvals/{claim.approval}/decision", json=body)
    return answer.status_code, answer.json()


async def by_api(story: Story, who: str, claim: Claim, verdict: str = "approve", **more: JsonValue) -> None:
    """Decide with one POST, which shall be taken."""
    status, body = await posted(story, who, claim, verdict, **more)
    assert (status, body.get("state")) == (200, "accepted"), f"{who} about {claim.name}: {body}"


async def refused(story: Story, who: str, claim: Claim, verdict: str = "approve", **more: JsonValue) -> tuple[int, str]:
    """Decide with one POST that shall be refused; note it, and return status and code."""
    status, body = await posted(story, who, claim, verdict, **more)
    story.refused.append((claim.name, who, str(body.get("code"))))
    return status, str(body.get("code"))


async def by_batch(story: Story, who: str, verdicts: dict[str, str]) -> list[tuple[int, str | None]]:
    """Decide several claims, by name, with one POST; return what is said to each: status, and the code of a refusal."""
    told = [
        {"approval": story.claims[name].approval, "digest": story.claims[name].digest, "verdict": verdict, "comment": f"{who} in a batch"}
        for name, verdict in verdicts.items()
    ]
    answer = await story.house.people.browsers[who].post("/v1/approvals/decisions", json={"decisions": told})
    assert answer.status_code == 200, answer.text
    return [(each["status"], each["code"]) for each in answer.json()["answers"]]


async def by_client(story: Story, who: str, claim: Claim) -> None:
    """Approve with the Python client."""
    decision = await story.house.people.clients[who].approvals.approve(await story.fresh(claim), comment=f"{who} by client")
    assert decision.state == "accepted", decision
    story.approved(claim, who, via="client")


async def by_signal(story: Story, who: str, claim: Claim, verdict: str = "approve") -> int:
    """Decide with the signal `approve`, which the gateway attests; return the status."""
    body = {"approval": claim.approval, "verdict": verdict, "digest": claim.digest, "comment": f"{who} by signal"}
    answer = await story.house.people.browsers[who].post(f"/v1/runs/{claim.run}/signals/approve", json=body)
    return answer.status_code


async def by_command_line(house: House, who: str, *words: str) -> str:
    """Run the command line as this person would, and return what it prints.

    Raises:
        AssertionError: it failed.
    """
    environment = {**os.environ, "STANDFAST_URL": house.url, "STANDFAST_API_KEY": house.people.everybody[who].key}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *words),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode() + complained.decode()
    return said.decode()
