"""Plays the machines with a number of examples and a seed, outside of pytest."""

import logging
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.database import InMemoryExampleDatabase
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.faults.machines.budgets import budgets_machine
from tests.faults.machines.facts import facts_machine
from tests.faults.machines.ledger import ledger_machine
from tests.faults.machines.rig import Rig
from tests.faults.machines.sagas import sagas_machine

MACHINES: dict[str, Callable[[Rig], type[RuleBasedStateMachine]]] = {
    "ledger": ledger_machine,
    "facts": facts_machine,
    "saga": sagas_machine,
    "budgets": budgets_machine,
}

STEPS = 30


def play(name: str, rig: Rig, *, examples: int, at: int, shrink: bool = True) -> tuple[str | None, float]:
    """Run a machine; return what went wrong, None for nothing, and the seconds it took.

    Args:
        name: Of MACHINES.
        rig: What it is run on.
        examples: How many, of at most 30 steps each.
        at: The seed; the same one gives the same examples.
        shrink: Whether a failing example is made as short as can be.
    """
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it warns of each connection that a machine kills
    told = StringIO()
    started = time.monotonic()
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=InMemoryExampleDatabase(),
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        print_blob=False,
    )
    try:
        with redirect_stdout(told), redirect_stderr(told):
            run_state_machine_as_test(seed(at)(MACHINES[name](rig)), settings=chosen)
    except (Exception, Flaky) as error:  # noqa: BLE001 - whatever breaks is the finding
        notes = "\n".join(getattr(error, "__notes__", []))
        return f"{type(error).__name__}: {error}\n{notes}\n{told.getvalue()}"[:4000], time.monotonic() - started
    return None, time.monotonic() - started
