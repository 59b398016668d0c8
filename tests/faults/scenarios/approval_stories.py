"""What people do to the approvals of S14, story by story, and the definitions that ask them."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.faults.harness.client import Client
from tests.faults.scenarios.definitions import tool_files

Asked = dict[str, Any]  # Any: an approval as JSON

GATE = """\
standfast: 1
name: {name}
version: 1.0.0
input: {{schema: {{type: object, required: [claim, amount], properties: {{claim: {{type: string}}, amount: {{type: integer}}}}}}}}
do:
  - gate:
      approve:
        title: "Hold ${{ input.amount }} for ${{ input.claim }}?"
        binds: [reserve]
        {asks}
  - reserve:
      call: bank.reserve
      with:
        reservation_id: "res-${{ input.claim }}"
        claim_id: "${{ input.claim }}"
        amount_micros: "${{ input.amount }}"
        currency: USD
      retry: {{max_attempts: 6, delay: 200ms}}
output: "${{ steps.reserve.output.reservation_id }}"
"""

ASKS = {
    "ask-one": "reviewers: {role: claims-approver}",
    "ask-two": "reviewers: {role: claims-approver, quorum: 2}",
    "ask-briefly": "reviewers: {role: claims-approver}\n        timeout: 3s\n        on_timeout: reject",
    "ask-upwards": (
        "reviewers: {role: claims-approver}\n        timeout: 3s\n        remind: [1s]\n"
        "        escalate: [{to: {role: claims-lead}, replace: true}]\n        on_timeout: escalate"
    ),
}
"""Definition → whom it asks. The ladder's second round is as short as its first, so nobody may decide it under kills."""

AMOUNT, AMENDED = 5_000_000, 3_000_000
PATIENCE_S = 120.0


def files(bank_url: str, mail_url: str) -> dict[str, str]:
    """Return the bundle of all definitions."""
    asked = {f"{name}.yaml": GATE.format(name=name, asks=asks) for name, asks in ASKS.items()}
    return {**asked, **tool_files(bank_url, mail_url, bank_s=2)}


@dataclass
class Panel:
    """The people. What `outsider_log` clients say shall be refused, so it stands in a log of its own."""

    starter: Client
    requester: Client
    first: Client
    second: Client

    async def asked(self, run: str) -> Asked | None:
        """Return the open approval of a run, None when it never came or is gone."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S
        while loop.time() < end:
            try:
                answer = await self.first.get("/v1/approvals", {"run": run})
            except httpx2.HTTPError:
                answer = None
            items: list[Asked] = answer.json()["items"] if answer is not None and answer.status_code == 200 else []
            if items:
                return items[0] if items[0]["state"] == "open" else None
            await asyncio.sleep(0.2)
        return None


async def say(client: Client, asked: Asked, verdict: str, *, key: str, **more: object) -> int:
    """Say something until there is an answer that is no server's failure, and return its status."""
    body = {"verdict": verdict, "digest": asked["digest"], **more}
    while True:
        try:
            answer = await client.post(f"/v1/approvals/{asked['approval']}/decision", body, key=key)
        except httpx2.HTTPError:
            await asyncio.sleep(0.2)
            continue
        busy = answer.status_code == 409 and answer.json()["code"] == "request-in-flight"
        if answer.status_code < 500 and not busy:
            return answer.status_code
        await asyncio.sleep(0.2)


async def approve(panel: Panel, asked: Asked) -> list[str]:
    """One person says yes."""
    return _wrong("approve", await say(panel.first, asked, "approve", key=f"a-{asked['run']}"), {200, 202})


async def reject(panel: Panel, asked: Asked) -> list[str]:
    """One person says no."""
    return _wrong("reject", await say(panel.first, asked, "reject", key=f"r-{asked['run']}"), {200, 202})


async def nothing(panel: Panel, asked: Asked) -> list[str]:
    """Nobody says anything: the deadline does."""
    del panel, asked
    return []


async def double(panel: Panel, asked: Asked) -> list[str]:
    """One person clicks four times under one key, and once more under another."""
    clicks = [say(panel.first, asked, "approve", key=f"d-{asked['run']}") for _ in range(4)]
    answers = await asyncio.gather(*clicks)
    again = await say(panel.first, asked, "approve", key=f"e-{asked['run']}")
    return _wrong("double", max(answers), {200, 202}) + _wrong("double, another key", again, _second(max(answers)))


async def late(panel: Panel, asked: Asked) -> list[str]:
    """A second person comes when the first has decided."""
    first = await say(panel.first, asked, "approve", key=f"a-{asked['run']}")
    second = await say(panel.second, asked, "reject", key=f"l-{asked['run']}")
    return _wrong("late", second, _second(first))


async def race(panel: Panel, asked: Asked) -> list[str]:
    """Two people decide at once, one yes and one no."""
    both = [say(panel.first, asked, "approve", key=f"x-{asked['run']}"), say(panel.second, asked, "reject", key=f"y-{asked['run']}")]
    answers = sorted(await asyncio.gather(*both))
    return [f"a race was answered with {answers}"] if answers in ([200, 200], [409, 409]) else []


async def oneself(panel: Panel, asked: Asked) -> list[str]:
    """The requester says yes, and is refused; then somebody else does."""
    own = await say(panel.requester, asked, "approve", key=f"s-{asked['run']}")
    other = await say(panel.second, asked, "approve", key=f"t-{asked['run']}")
    return _wrong("oneself", own, {403}) + _wrong("after oneself", other, {200, 202})


async def two(panel: Panel, asked: Asked) -> list[str]:
    """Two people have to agree; the first one tries to be both."""
    first = await say(panel.first, asked, "approve", key=f"1-{asked['run']}")
    again = await say(panel.first, asked, "approve", key=f"2-{asked['run']}")
    second = await say(panel.second, asked, "approve", key=f"3-{asked['run']}")
    return _wrong("two", first, {200, 202}) + _wrong("the first again", again, _second(first)) + _wrong("the second", second, {200, 202})


async def amend(panel: Panel, asked: Asked) -> list[str]:
    """One person lowers the amount, the other approves that; what was read before is stale."""
    arguments = {"reserve": {"amount_micros": AMENDED}}
    changed = await say(panel.first, asked, "amend", key=f"m-{asked['run']}", arguments=arguments)
    wrong = _wrong("amend", changed, {200, 202})
    while not wrong:
        now = await panel.asked(asked["run"])
        if now is None:
            return ["an amended approval is gone"]
        if now["digest"] != asked["digest"]:
            return _wrong("approve the amended", await say(panel.second, now, "approve", key=f"n-{asked['run']}"), {200, 202})
        await asyncio.sleep(0.2)
    return wrong


async def lead(panel: Panel, asked: Asked) -> list[str]:
    """Nobody decides until the ladder asks the lead, who does if there is time."""
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while asyncio.get_running_loop().time() < end:
        now = await panel.asked(asked["run"])
        if now is None:
            return []
        if now["reviewer_roles"] == ["claims-lead"]:
            return _wrong("lead", await say(panel.second, now, "approve", key=f"u-{asked['run']}"), {200, 202, 409})
        await asyncio.sleep(0.2)
    return ["the ladder never asked the lead"]


def _second(first: int) -> set[int]:
    """What a second decision may be answered: after a 200 never 200 again; where no worker answers in time it is stored and refused later.

    A first one that is still being delivered when it comes may lose to it.
    """
    return {202, 409} if first == 200 else {200, 202, 409}


def _wrong(what: str, status: int, right: set[int]) -> list[str]:
    return [] if status in right else [f"{what} was answered with {status}, not {sorted(right)}"]


Story = Callable[[Panel, Asked], Awaitable[list[str]]]

STORIES: dict[str, tuple[str, Story, list[str]]] = {
    "approve": ("ask-one", approve, ["succeeded"]),
    "reject": ("ask-one", reject, ["failed"]),
    "timeout": ("ask-briefly", nothing, ["failed"]),
    "escalate": ("ask-upwards", lead, ["succeeded", "failed"]),
    "double": ("ask-one", double, ["succeeded"]),
    "late": ("ask-one", late, ["succeeded", "failed"]),
    "race": ("ask-one", race, ["succeeded", "failed"]),
    "oneself": ("ask-one", oneself, ["succeeded"]),
    "two": ("ask-two", two, ["succeeded"]),
    "amend": ("ask-one", amend, ["succeeded"]),
}
"""Story → the definition it runs, what people do, and how the run may end."""
