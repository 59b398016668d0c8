"""`make demo`: seven real claims from letter to money, with a person, a failing bank and a killed worker in between.

Exit code 0 only if the bank, the mail service, every ledger and every run agree with `expected.json`.
"""

import os
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from examples.delay_claim.demo.drive import DemoFailedError, Drive
from examples.delay_claim.demo.earlier import cancel_earlier_runs
from examples.delay_claim.demo.injected import InjectedLetter
from examples.delay_claim.demo.model import SCRIPT, DemoModel, choose_model
from examples.delay_claim.demo.outcome import ClaimOutcome, Evidence, find_disagreements
from examples.delay_claim.demo.screen import Screen, bank_line, commands, links, paragraph, table
from examples.delay_claim.demo.services import ServiceFailedError, Services, start_services, stop_recorded
from examples.delay_claim.demo.stack import DemoStack, StackFailedError, close_stack, open_stack
from standfast_client import StandfastError
from wiring.dev.background import dev_status
from wiring.dev.child import ChildFailedError
from wiring.dev.records import AlreadyRunningError
from wiring.settings_ground import StatePlace

_FAILURES = (AlreadyRunningError, ChildFailedError, DemoFailedError, ServiceFailedError, StackFailedError, StandfastError)
_INTERRUPTED = 130


def main(*, keep: bool = False) -> int:
    """Run the demo and return its exit code; `keep` leaves the stack and the services running at the end."""
    screen, state_dir, model = Screen(), StatePlace().state_dir, choose_model(os.environ)
    own = not dev_status(state_dir).running
    kept = False
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        _introduce(screen, model)
        code = _run(screen, state_dir, model)
        kept = keep
    except KeyboardInterrupt:
        screen.say("\ninterrupted: stops everything")
        code = _INTERRUPTED
    except _FAILURES as error:
        screen.say(f"\nFAILED: {error}")
        code = 1
        kept = keep and dev_status(state_dir).running
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not kept:
            _stop(screen, state_dir, own=own)
        signal.signal(signal.SIGTERM, previous)
    _part(screen, kept=kept, own=own)
    return code


def _run(screen: Screen, state_dir: Path, model: DemoModel) -> int:
    folder = state_dir / "demo"
    screen.step("needs the stack: Temporal, PostgreSQL, a worker, the gateway")
    with screen.while_waiting("the stack is starting"):
        stack = open_stack(state_dir, model, screen.step)
    screen.step(f"the stack is ready: gateway {stack.state.gateway_url}, Temporal Web UI {stack.state.temporal_ui_url}")
    services = start_services(folder)
    if cancel_earlier_runs(stack, folder / "runs.json", screen):
        services = start_services(folder)
    screen.step(f"bank at {services.bank.url}, mail service at {services.mail.url}")
    with _driving(stack, services, model, screen) as drive:
        version = drive.register()
        drive.start_all(version, folder / "runs.json")
        drive.reach_the_kill()
        drive.kill_the_worker()
        drive.decide(sys.stdin.isatty() and sys.stdout.isatty())
        outcomes, evidence = drive.outcomes(), drive.evidence()
        disagreements = find_disagreements(outcomes, drive.expected(), evidence)
        disagreements += InjectedLetter(stack, services, screen).play()
    _report(screen, stack, model, outcomes, evidence)
    for text in disagreements:
        screen.say(f"DISAGREES: {text}")
    if disagreements:
        return 1
    screen.say(f"Bank, mail service, ledgers and runs agree with what was expected. {screen.seconds():.0f} s.")
    return 0


@contextmanager
def _driving(stack: DemoStack, services: Services, model: DemoModel, screen: Screen) -> Generator[Drive]:
    drive = Drive(stack, services, model, screen)
    try:
        yield drive
    finally:
        drive.close()


def _introduce(screen: Screen, model: DemoModel) -> None:
    screen.say("Standfast demo: an agent reviews seven claims about delayed flights, and the durable run pays them.")
    screen.say()
    if model.scripted:
        text = (
            f"SCRIPTED MODEL: no AI is asked. It plays {SCRIPT.relative_to(Path(__file__).parents[3])}. "
            "Set ANTHROPIC_API_KEY, OPENAI_API_KEY or STANDFAST_COMPATIBLE_BASE_URL, and STANDFAST_DEMO_MODEL for another model."
        )
    else:
        text = f"Model: {model.name} (STANDFAST_DEMO_MODEL names another one)."
    screen.say(paragraph(text))
    screen.say()


def _report(screen: Screen, stack: DemoStack, model: DemoModel, outcomes: list[ClaimOutcome], evidence: Evidence) -> None:
    blocks = [table(outcomes, evidence, model=model.shown), [bank_line(evidence)]]
    blocks.append(["Each run in the Temporal Web UI:", *links(outcomes, stack)])
    blocks.append(["To explore further:", *(f"  {command}" for command in commands(outcomes))])
    for block in blocks:
        screen.say()
        for line in block:
            screen.say(line)
    screen.say()


def stop() -> int:
    """Stop what a demo with `keep` left running: bank, mail service and stack."""
    screen, state_dir = Screen(), StatePlace().state_dir
    _stop(screen, state_dir, own=True)
    screen.say("stopped")
    return 0


def _stop(screen: Screen, state_dir: Path, *, own: bool) -> None:
    stop_recorded(state_dir / "demo")
    if own:
        close_stack(state_dir, screen.say)


def _part(screen: Screen, *, kept: bool, own: bool) -> None:
    if kept:
        screen.say("The stack, the bank and the mail service keep running. Stop them with:")
        screen.say("  .venv/bin/python -m examples.delay_claim.demo --stop")
    elif own:
        screen.say("Everything is stopped; the data stays. The links and commands work again after:")
        screen.say("  .venv/bin/standfast dev --detach")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
