"""The bundle does its job: each claim, from its letter to the bank's books, as table and policy have it."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest
from pydantic import JsonValue

from domain.runs import RunStatus
from examples.delay_claim.demo.bundle import BANK_URL, MAIL_URL, VERSION, named_after_content, read_bundle_files
from tests.examples.bundle_run import BundleTools, ClaimRun, compile_bundle
from tests.examples.running_service import Caller

EXAMPLE = Path(__file__).parents[2] / "examples" / "delay_claim"
Json = dict[str, JsonValue]


def read(name: str) -> dict[str, Json]:
    """Read one JSON file of the example."""
    return json.loads((EXAMPLE / name).read_text(encoding="utf-8"))


EXPECTED = read("expected.json")
CLAIMS = {claim_id: cast("Json", read(str(told["claim_file"]))) for claim_id, told in EXPECTED.items()}
EACH_CLAIM = pytest.mark.parametrize("claim_id", sorted(CLAIMS))


@pytest.fixture
async def tools() -> AsyncGenerator[BundleTools]:
    """The bundle's tools, closed at the end."""
    made = BundleTools()
    yield made
    await made.aclose()


@pytest.fixture
def run_of(tools: BundleTools, bank: Caller, mail: Caller) -> "RunOf":
    """Makes runs of a claim against bank and mail."""
    return RunOf(tools, bank, mail)


class RunOf:
    """A claim's id becomes its run."""

    def __init__(self, tools: BundleTools, bank: Caller, mail: Caller) -> None:
        self.bank, self.mail = bank, mail
        self._tools = tools

    def __call__(self, claim_id: str, *, verdict: str = "approve", config: Json | None = None, **changes: JsonValue) -> ClaimRun:
        """Return the run of a claim, with changed fields if any."""
        program = compile_bundle(self._tools, bank_url=self.bank.url, mail_url=self.mail.url, config=config or {})
        return ClaimRun(program, self._tools, {**CLAIMS[claim_id], **changes}, verdict)


class TestVerdict:
    """What the agent decides."""

    @EACH_CLAIM
    async def test_is_what_table_and_policy_give(self, claim_id: str, run_of: RunOf) -> None:
        ended = await run_of(claim_id).finish()

        output, expected = cast("Json", ended.output), EXPECTED[claim_id]
        assert ended.status is RunStatus.SUCCEEDED
        assert (output["verdict"], output["amount_micros"]) == (expected["verdict"], expected["amount_micros"])

    @EACH_CLAIM
    async def test_needs_a_person_above_the_limit_only(self, claim_id: str, run_of: RunOf) -> None:
        run = run_of(claim_id)
        await run.finish()

        assert bool(run.asked) == EXPECTED[claim_id]["needs_person"]

    async def test_follows_the_config_that_the_run_was_started_with(self, run_of: RunOf) -> None:
        run = run_of("CLM-1001", config={"auto_limit": 1, "policy": {"bands": [{"from_delay_minutes": 60, "amount_micros": 7_000_000}]}})
        ended = await run.finish()

        assert cast("Json", ended.output)["amount_micros"] == 7_000_000
        assert len(run.asked) == 1

    async def test_sends_the_policy_in_the_instructions_and_the_letter_as_the_message(self, run_of: RunOf) -> None:
        run = run_of("CLM-1007")
        await run.finish()

        first = run.requests[0]
        assert '"amount_micros":600000000' in first.instructions
        assert "my lawyer" not in first.instructions
        assert json.loads(first.messages[0].text) == CLAIMS["CLM-1007"]


class TestApproval:
    """The question to people."""

    async def test_shows_every_argument_of_both_calls_and_leaves_none_open(self, run_of: RunOf) -> None:
        run = run_of("CLM-1002")
        await run.finish()

        asked = run.asked[0]
        assert asked.approval.title == "Pay 600 USD to Tobias Renner for claim CLM-1002?"
        assert [call.tool for call in asked.approval.calls] == ["bank.reserve", "bank.pay"]
        assert [call.arguments["amount_micros"] for call in asked.approval.calls] == [600_000_000, 600_000_000]
        assert asked.approval.calls[1].arguments["payee"] == "passenger-of-CLM-1002"
        assert asked.unbound == []

    async def test_pays_nothing_when_the_person_says_no(self, run_of: RunOf) -> None:
        ended = await run_of("CLM-1002", verdict="reject").finish()

        assert (ended.error or {})["code"] == "approval-rejected"
        assert run_of.bank.get("/summary")["calls"] == 0


class TestSettlement:
    """What bank and mail service have done at the end."""

    async def test_pays_once_and_tells_the_passenger(self, run_of: RunOf) -> None:
        ended = await run_of("CLM-1001").finish()

        books, letters = run_of.bank.get("/summary"), run_of.mail.get("/messages")["messages"]
        assert books["by_claim"]["CLM-1001"]["net_paid_micros"] == 120_000_000
        assert books["balanced"]
        assert [letter["subject"] for letter in letters] == ["Your claim CLM-1001: we have paid"]
        assert "120 USD" in letters[0]["body"]
        assert cast("Json", ended.output)["payment_id"] == "pay-CLM-1001"

    async def test_explains_a_refusal_and_never_calls_the_bank(self, run_of: RunOf) -> None:
        ended = await run_of("CLM-1003").finish()

        letters = run_of.mail.get("/messages")["messages"]
        assert [letter["subject"] for letter in letters] == ["Your claim CLM-1003: we cannot pay"]
        assert "UA 9042 did not depart from EWR on 2013-01-17" in letters[0]["body"]
        assert run_of.bank.get("/summary")["calls"] == 0
        assert cast("Json", ended.output)["payment_id"] is None

    async def test_releases_the_reservation_when_the_bank_refuses_to_pay(self, run_of: RunOf) -> None:
        run_of.bank.arm(**cast("dict[str, object]", EXPECTED["CLM-1004"]["bank_fault"]))

        ended = await run_of("CLM-1004").finish()

        books = run_of.bank.get("/summary")
        assert ended.status is RunStatus.FAILED
        assert books["by_claim"]["CLM-1004"] == {"reservations": 1, "releases": 1, "payments": 0, "refunds": 0, "net_paid_micros": 0}
        assert books["held_micros"] == 0

    async def test_refunds_when_the_mail_service_refuses_the_message(self, run_of: RunOf) -> None:
        run_of.mail.arm(route="messages", mode="refuse", count=1)

        await run_of("CLM-1001").finish()

        assert run_of.bank.get("/summary")["by_claim"]["CLM-1001"]["refunds"] == 1
        assert run_of.bank.get("/summary")["net_paid_micros"] == 0

    async def test_shows_people_which_claim_a_step_is_about(self, run_of: RunOf) -> None:
        run = run_of("CLM-1003")
        await run.finish()

        assert run.calls[-1].summary == "explain the refusal of claim CLM-1003"


class TestFiles:
    """The bundle's files as the demo registers them."""

    def test_hold_the_policy_that_stands_beside_the_bundle(self, tools: BundleTools) -> None:
        program = compile_bundle(tools, bank_url=BANK_URL, mail_url=MAIL_URL, config={})

        policy = read("policy.json")
        assert program.config["policy"] == policy
        assert program.config["auto_limit"] == policy["auto_limit_micros"]

    def test_get_a_version_of_their_own_for_each_content(self) -> None:
        files = read_bundle_files()
        changed = {**files, "tools/mail-send.yaml": files["tools/mail-send.yaml"] + "\n"}

        versions = {named_after_content(files)[1], named_after_content(files)[1], named_after_content(changed)[1]}

        assert len(versions) == 2
        assert all(version.startswith(f"{VERSION}-demo.h") for version in versions)
        assert f"version: {VERSION}-demo.h" in named_after_content(files)[0]["delay-claim.yaml"]
