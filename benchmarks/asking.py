"""Runs that ask a person and then call one tool: what measurements of approvals start and decide, as the gateway does."""

import asyncio
import time
from dataclasses import dataclass, field

from pydantic import JsonValue

from adapters.definitions.yaml_reader import YamlBundleReader
from api.decisions import decision_of
from api.temporal import TemporalRuns
from benchmarks.platform import TENANT, Platform
from domain.approval import attest
from domain.compile import compile_program
from domain.effects import EffectClass
from domain.inbox import InboxFilter
from domain.people_stores import ApprovalRow, DecisionRow
from domain.principals import Role
from domain.program import Program
from domain.tools import ToolCall, ToolSpec
from wiring.keys import InstallationKeys, clock_text, new_id
from wiring.storage import Storage

REVIEWER, REVIEWER_ROLE = "prn_reviewer", "bench-reviewer"
OPENS_WITHIN_S = 60.0

_DEFINITION = """standfast: 1
name: bench-approve
version: 1.0.0
input: {schema: {type: object, required: [n], properties: {n: {type: integer}}}}
do:
  - gate: {approve: {title: "Go on with ${ input.n }?", binds: [go], reviewers: {role: bench-reviewer}, timeout: 24h}}
  - go: {call: bench.timed, with: {n: "${ input.n }"}}
output: "${ steps.go.output.n }"
"""


@dataclass
class TimedTool:
    """A built-in tool that notes when it is called (`time.perf_counter`), by run."""

    called: dict[str, float] = field(default_factory=dict[str, float])
    spec = ToolSpec(
        name="bench.timed",
        version="1.0.0",
        description="Returns n.",
        input_schema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
        output_schema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
        effect_class=EffectClass.WRITE,
        timeout_s=5,
    )

    async def call(self, call: ToolCall) -> JsonValue:
        """Note the time and return the argument."""
        self.called[call.run] = time.perf_counter()
        return {"n": call.arguments["n"]}


def asking_program() -> Program:
    """Return the compiled program of a question and one call.

    Raises:
        AssertionError: the definition has mistakes.
    """
    drafts, problems = YamlBundleReader().read({"bench.yaml": _DEFINITION}, tools=[TimedTool.spec])
    if problems:
        raise AssertionError("; ".join(map(str, problems)))
    return compile_program(drafts[0], tools=[TimedTool.spec], config={})


@dataclass(frozen=True)
class Reviewer:
    """Decides as the gateway does: stores the decision with its attestation, then sends the update."""

    storage: Storage
    runs: TemporalRuns
    keys: InstallationKeys

    @classmethod
    async def made(cls, storage: Storage, runs: TemporalRuns, keys: InstallationKeys) -> "Reviewer":
        """Return a reviewer who is known to the key store."""
        await storage.keys.create(
            TENANT,
            key_id="bench",
            secret_hmac=b"s" * 32,
            principal=REVIEWER,
            name="bench",
            role=Role.APPROVER,
            reviewer_roles=(REVIEWER_ROLE,),
        )
        return cls(storage, runs, keys)

    async def opened(self, run: str) -> ApprovalRow:
        """Wait until the inbox shows the run's approval.

        Raises:
            TimeoutError: it does not within a minute.
        """
        async with asyncio.timeout(OPENS_WITHIN_S):
            while not (found := (await self.storage.approvals.page(TENANT, InboxFilter(state="open", run=run))).items):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.002)
        return found[0]

    async def approve(self, row: ApprovalRow, *, timeout_s: float = 30.0) -> None:
        """Approve it, and wait until the run has taken the decision.

        Raises:
            TimeoutError: the run does not answer.
        """
        bare = DecisionRow(
            tenant=TENANT,
            run=row.run,
            decision_id=new_id("dec"),
            approval=row.projection.approval,
            verdict="approve",
            digest=row.projection.digest,
            principal=REVIEWER,
            attestation="",
            stored_at=clock_text(),
        )
        signed = attest(self.keys.attestation, tenant=TENANT, run=row.run, decision=decision_of(bare))
        stored = await self.storage.approvals.store_decision(bare.model_copy(update={"attestation": signed}))
        if await self.runs.decide(TENANT, row.run, decision_of(stored), timeout_s=timeout_s) is None:
            raise TimeoutError(f"run {row.run} took no decision within {timeout_s} s")


def runs_of(ours: Platform) -> TemporalRuns:
    """Return the gateway's way to Temporal on the platform's connection."""
    return TemporalRuns(ours.link.client, ours.link.tenants.bind)
