"""Budgets and costs, blocking."""

from collections.abc import Mapping, Sequence

from standfast_client.drivers import Driver
from standfast_client.flows import money
from standfast_client.models import JsonInput
from standfast_client.money import Budget, BudgetEvent, Costs, Estimate, Invoice, Price


class Budgets:
    """What the tenant, its definitions and its runs may use."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def set(self, scope: str, name: str, limits: Mapping[str, JsonInput], *, idempotency_key: str | None = None) -> list[Budget]:
        """Set limits.

        Args:
            scope: `tenant`, `definition` or `run`.
            name: The tenant, the definition's name, or the run's id.
            limits: `usd_micros`, `tokens` or `ms`, each `{"hard": …, "soft": …}`; `period` (`total`, `day`, `month`); `thresholds`.
            idempotency_key: A random key when None.

        Raises:
            NotFoundError: There is no such definition or run.
            InvalidInputError: No unit is named, or an amount is none.
        """
        return self._driver.run(money.set_budget(self._driver.link, scope, name, limits, idempotency_key=idempotency_key))

    def clear(self, scope: str, name: str, *, idempotency_key: str | None = None) -> list[Budget]:
        """Take every limit away; what was spent stays counted."""
        return self._driver.run(money.clear_budget(self._driver.link, scope, name, idempotency_key=idempotency_key))

    def events(self, *, limit: int = 50) -> list[BudgetEvent]:
        """Read the thresholds that spending has passed, newest first."""
        return self._driver.run(money.events(self._driver.link, limit=limit))

    def list(self, *, scope: str | None = None, name: str | None = None) -> list[Budget]:
        """Read budgets of the tenant and its definitions; with `scope` `run` or `step` and a run's id as `name`, those of a run."""
        return self._driver.run(money.budgets(self._driver.link, scope=scope, name=name))


class CostBook:
    """What was settled, and what things will probably cost."""

    def __init__(self, driver: Driver) -> None:
        """Ask nothing yet."""
        self._driver = driver

    def csv(self, *, by: str = "day", since: str | None = None, until: str | None = None) -> str:
        """Sum up costs as CSV."""
        return self._driver.run(money.as_csv(self._driver.link, "/costs", by=by, since=since, until=until))

    def invoice(self, month: str) -> Invoice:
        """Read a month `YYYY-MM`, in UTC."""
        return self._driver.run(money.invoice(self._driver.link, month))

    def invoice_csv(self, month: str) -> str:
        """Read a month as CSV; its last line is the total."""
        return self._driver.run(money.as_csv(self._driver.link, "/costs/invoice", month=month))

    def estimate(self, definition: str, run_input: JsonInput = None, *, config: Mapping[str, JsonInput] | None = None) -> Estimate:
        """Ask what a run of a definition (`name` or `name@range`) will probably cost."""
        body: dict[str, JsonInput] = {"definition": definition, "input": run_input or {}, "config": config or {}}
        return self._driver.run(money.estimate(self._driver.link, body))

    def estimate_prompt(self, model: str, **prompt: JsonInput) -> Estimate:
        """Ask what one model call will probably cost; `prompt` has `instructions`, `input`, `tools`, `max_output_tokens`."""
        return self._driver.run(money.estimate(self._driver.link, {"prompt": {"model": model, **prompt}}))

    def prices(self, models: Sequence[str] = (), *, at: str | None = None) -> list[Price]:
        """Read what models cost; without any, the operator's own prices."""
        return self._driver.run(money.prices(self._driver.link, models, at=at))

    def list(
        self,
        *,
        by: str = "day",
        since: str | None = None,
        until: str | None = None,
        run: str | None = None,
        definition: str | None = None,
        model: str | None = None,
        limit: int = 1000,
    ) -> Costs:
        """Sum up costs by `run`, `step`, `agent`, `definition`, `model`, `tenant` or `day`; instants are RFC 3339."""
        query = money.costs(self._driver.link, by=by, since=since, until=until, run=run, definition=definition, model=model, limit=limit)
        return self._driver.run(query)
