"""The fault scenarios by name (PROOF §4)."""

from tests.faults.harness.report import Scenario
from tests.faults.scenarios.approvals import run_approvals
from tests.faults.scenarios.budgets import run_budgets
from tests.faults.scenarios.database import run_database
from tests.faults.scenarios.models import run_models
from tests.faults.scenarios.replies import run_replies
from tests.faults.scenarios.sagas import run_sagas
from tests.faults.scenarios.sweep import run_sweep
from tests.faults.scenarios.webhooks import run_webhooks

SCENARIOS: dict[str, Scenario] = {
    "S1": run_sagas,
    "S2": run_sweep,
    "S4": run_database,
    "S5": run_replies,
    "S9": run_webhooks,
    "S14": run_approvals,
    "S15": run_budgets,
    "S16": run_models,
}
"""In the order in which they run."""
