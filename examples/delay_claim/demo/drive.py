"""Drives the seven claims: registers the bundle, starts all at once, kills the worker, asks the person, collects what came of it."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import JsonValue

from examples.delay_claim.demo.bundle import DEFINITION, VERSION, named_after_content, read_bundle_files, with_addresses
from examples.delay_claim.demo.model import DemoModel
from examples.delay_claim.demo.outcome import ClaimOutcome, Evidence
from examples.delay_claim.demo.screen import Screen, usd
from examples.delay_claim.demo.services import Services
from examples.delay_claim.demo.stack import DemoStack
from standfast_client import Approval, ConflictError, Run, Standfast

FOLDER = Path(__file__).parents[1]
_POLL_SECONDS = 0.2
_SCRIPTED_SECONDS_MAX = 90.0
_MODEL_SECONDS_MAX = 600.0
"""A real model thinks, and its vendor may ask to wait."""
_RESULT_SECONDS_MAX = 20.0

Json = Mapping[str, Any]  # Any: members of the example's own JSON files


class DemoFailedError(Exception):
    """The demo did not come as far as it must; the text says what it waited for."""


def read_expected() -> dict[str, Json]:
    """Return what is expected of each claim, by its id."""
    return cast("dict[str, Json]", json.loads((FOLDER / "expected.json").read_text(encoding="utf-8")))


class Drive:
    """One drive over a running stack; each method is one act of the demo."""

    def __init__(self, stack: DemoStack, services: Services, model: DemoModel, screen: Screen) -> None:
        keys, url = stack.state.api_keys, stack.state.gateway_url
        self._developer, self._operator = (Standfast(url, keys[name]) for name in ("developer", "operator"))
        self._approver, self._auditor = (Standfast(url, keys[name]) for name in ("approver", "auditor"))
        self._stack, self._services, self._model, self._screen = stack, services, model, screen
        self._expected = read_expected()
        self._runs: dict[str, Run] = {}
        self._decisions: dict[str, Literal["approve", "reject"]] = {}

    def close(self) -> None:
        """Close the connections."""
        for client in (self._developer, self._operator, self._approver, self._auditor):
            client.close()

    def register(self) -> str:
        """Register the bundle and return the version to start."""
        files = with_addresses(read_bundle_files(), bank_url=self._services.bank.url, mail_url=self._services.mail.url)
        version = VERSION
        try:
            self._developer.definitions.register(files)
        except ConflictError:
            files, version = named_after_content(files)
            self._developer.definitions.register(files)
        self._say(f"registered {DEFINITION} {version}: agent, approval, saga, and the tools of bank and mail service")
        return version

    def start_all(self, version: str, record: Path) -> None:
        """Arm the faults of the scenarios and start every claim at once."""
        for service, name in ((self._services.bank, "bank_fault"), (self._services.mail, "mail_fault")):
            for told in self._expected.values():
                if name in told:
                    service.arm(told[name])
        for claim_id, told in self._expected.items():
            claim: JsonValue = json.loads((FOLDER / str(told["claim_file"])).read_text(encoding="utf-8"))
            config: dict[str, JsonValue] = {"model": self._model.name}
            handle = self._operator.runs.start(DEFINITION, {"claim": claim}, version=version, config=config)
            self._runs[claim_id] = handle.read()
            record.write_text(json.dumps([run.run for run in self._runs.values()]), encoding="utf-8")
        self._say(f"started {len(self._runs)} claims, all live at once: {', '.join(self._runs)}")

    def reach_the_kill(self) -> None:
        """Wait until the message of the doomed claim is on its way and every other run has ended or waits for a person."""
        doomed = self._doomed()
        others = [claim_id for claim_id in self._runs if claim_id != doomed]

        def there() -> bool:
            if self._runs[doomed].closed:
                raise DemoFailedError(
                    f"{doomed} ended before its message was sent: {_why(self._runs[doomed])}{self._advice(self._runs[doomed])}"
                )
            settled = all(self._runs[claim_id].closed or self._runs[claim_id].status == "waiting" for claim_id in others)
            return settled and self._services.mail.holds(doomed)

        self._until(there, f"{doomed} is being told about its money and all others are settled")

    def kill_the_worker(self) -> None:
        """Kill the worker between paying and telling, and see a new one tell the passenger."""
        doomed = self._doomed()
        dead = self._stack.kill_worker()
        self._say(f"{doomed} is paid and the mail service is holding its message: killed the worker with kill -9 (pid {dead})")
        pid = self._stack.wait_for_new_worker(dead)
        self._say(f"the supervisor started another worker (pid {pid})")
        self._until(lambda: self._runs[doomed].closed, f"the new worker finishes {doomed}")
        self._services.mail.disarm()

    def decide(self, person: bool) -> None:  # noqa: FBT001 - the caller has looked whether a terminal is there
        """Let a person at the terminal, or else the demo reviewer, decide every open approval of these runs."""
        open_runs = {run.run: claim_id for claim_id, run in self._runs.items()}
        waiting = [approval for approval in self._approver.approvals.list() if approval.run in open_runs]
        if waiting and not person:
            self._say("no person is at this terminal: the demo reviewer decides through the Python client, with the key `approver`")
        for approval in sorted(waiting, key=lambda each: open_runs[each.run]):
            self._decide(open_runs[approval.run], approval, person=person)
        self._until(lambda: all(run.closed for run in self._runs.values()), "all runs end")

    def outcomes(self) -> list[ClaimOutcome]:
        """Collect what came of each claim; every ledger is downloaded and recomputed here."""
        self._say("downloads every ledger and recomputes it")
        return [self._outcome(claim_id, run) for claim_id, run in self._runs.items()]

    def evidence(self) -> Evidence:
        """Read the services' own counts."""
        return Evidence(self._services.bank.get("/summary"), self._services.mail.get("/summary"))

    def expected(self) -> Mapping[str, Json]:
        """Return what is expected of each claim."""
        return self._expected

    def _doomed(self) -> str:
        return next(claim_id for claim_id, told in self._expected.items() if told["scenario"] == "worker-killed")

    def _advice(self, run: Run) -> str:
        unknown = run.error is not None and run.error.code == "unknown-model"
        if not unknown or self._stack.own:
            return ""
        return (
            f"; the stack that runs was started without {self._model.name}: stop it with `standfast dev --stop`, the demo then starts one"
        )

    def _decide(self, claim_id: str, approval: Approval, *, person: bool) -> None:
        self._say(f"{claim_id}: {approval.title}")
        for call in approval.calls:
            arguments = ", ".join(f"{name}={value}" for name, value in sorted(call.arguments.items()))
            self._screen.say(f"           binds {call.tool}({arguments})")
        yes = self._screen.ask("           Approve exactly these calls?") if person else True
        decide = self._approver.approvals.approve if yes else self._approver.approvals.reject
        try:
            decide(approval, comment="decided at the terminal" if person else "decided by the demo reviewer")
        except ConflictError:
            yes = self._approver.approvals.get(approval.approval).state == "approved"
            self._say(f"{claim_id}: somebody else has decided it meanwhile")
        self._decisions[claim_id] = "approve" if yes else "reject"
        self._say(f"{claim_id}: {'approved' if yes else 'rejected'}")

    def _outcome(self, claim_id: str, run: Run) -> ClaimOutcome:
        return ClaimOutcome(
            claim_id=claim_id,
            run=run,
            result=self._result(run),
            trace=self._auditor.runs.handle(run.run).trace(),
            ledger=self._auditor.ledger.verify(run.run),
            decision=self._decisions.get(claim_id),
        )

    def _result(self, run: Run) -> Json:
        result = self._operator.runs.handle(run.run).result(timeout=_RESULT_SECONDS_MAX) if run.succeeded else None
        return result if isinstance(result, dict) else {}

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        """Follow the runs until the condition holds; says what changes, and speaks at least every 5 seconds.

        Raises:
            DemoFailedError: it did not come true in time.
        """
        deadline = time.monotonic() + (_SCRIPTED_SECONDS_MAX if self._model.scripted else _MODEL_SECONDS_MAX)
        while True:
            self._look()
            if condition():
                return
            if time.monotonic() > deadline:
                raise DemoFailedError(f"waited in vain until {what}; {self._where()}; logs are in {self._stack.state_dir / 'logs'}")
            if self._screen.silent_too_long():
                self._say(f"waits until {what}; {self._where()}")
            time.sleep(_POLL_SECONDS)

    def _look(self) -> None:
        for claim_id, before in self._runs.items():
            if before.closed:
                continue
            now = self._operator.runs.get(before.run)
            self._runs[claim_id] = now
            if now.status not in (before.status, "running"):
                self._say(f"{claim_id}: {self._news(now)}")

    def _news(self, run: Run) -> str:
        if run.succeeded:
            result = self._result(run)
            paid = result.get("payment_id")
            return f"paid {usd(result['amount_micros'])}" if paid else f"refused, and told why: {result.get('reason')}"
        if run.status == "waiting":
            return "waits for a person"
        if run.status == "compensating":
            return "a step failed: undoes what was done"
        return f"{run.status}: {_why(run)}"

    def _where(self) -> str:
        open_runs = [f"{claim_id} {run.waits_for or run.status}" for claim_id, run in self._runs.items() if not run.closed]
        return ", ".join(open_runs) or "all runs have ended"

    def _say(self, text: str) -> None:
        self._screen.step(text)


def _why(run: Run) -> str:
    return f"{run.error.detail} ({run.error.code})" if run.error else run.status
