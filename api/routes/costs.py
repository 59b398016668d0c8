"""`/v1/costs` and `/v1/prices`: what was settled, invoices, what things will probably cost, and what models cost."""

from enum import Enum

from fastapi import FastAPI, Request
from fastapi.responses import Response

from api.context import Context
from api.deps import GatewayDeps
from api.money_views import (
    CSV_TYPE,
    CostList,
    CostsWanted,
    EstimateBody,
    InvoiceWanted,
    PriceList,
    PricesWanted,
    PromptToEstimate,
    costs_csv,
    instant_text,
    invoice_csv,
)
from api.starting import prepare
from domain.costs import CostQuery, Estimate, Invoice
from domain.estimates import (
    MESSAGE_TOKENS,
    PromptShape,
    estimate_program,
    estimate_prompt,
    models_of,
    opening_tokens_max,
    text_bytes,
)


class CostRoutes:
    """Costs over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["costs"]
        add = app.router.add_api_route
        add("/v1/costs", self.list_costs, methods=["GET"], tags=tags, response_model=CostList)
        add("/v1/costs/invoice", self.get_invoice, methods=["GET"], tags=tags, response_model=Invoice)
        add("/v1/costs/estimate", self.estimate, methods=["POST"], tags=tags)
        add("/v1/prices", self.list_prices, methods=["GET"], tags=tags)

    async def list_costs(self, where: CostsWanted, context: Context, request: Request) -> CostList | Response:
        """Sum up settled costs by day, run, step, agent, definition, model or tenant; CSV by `format=csv` or `Accept: text/csv`."""
        query = CostQuery(
            **where.model_dump(include={"by", "run", "definition", "model"}),
            since=instant_text(where.since),
            until=instant_text(where.until),
            limit=where.limit + 1,
        )
        found = await self._deps.money.costs.grouped(context.principal.tenant, query)
        groups = tuple(found[: where.limit])
        if _wants_csv(request, where.format):
            return Response(costs_csv(groups), media_type=CSV_TYPE)
        return CostList(
            by=where.by,
            since=query.since,
            until=query.until,
            items=groups,
            total_usd_micros=sum(group.cost_usd_micros for group in groups),
            truncated=len(found) > where.limit,
        )

    async def get_invoice(self, where: InvoiceWanted, context: Context, request: Request) -> Invoice | Response:
        """Show a month of this tenant; a closed month never changes. CSV by `format=csv` or `Accept: text/csv`."""
        invoice = await self._deps.money.costs.invoice(context.principal.tenant, where.month)
        if _wants_csv(request, where.format):
            return Response(invoice_csv(invoice), media_type=CSV_TYPE)
        return invoice

    async def estimate(self, body: EstimateBody, context: Context) -> Estimate:
        """Say what a model call, or a run of a definition, will probably cost: nine of ten should lie between `low` and `high`.

        Raises:
            NotFound: no such definition. InvalidDefinition: it cannot start with this config.
        """
        tenant, prices = context.principal.tenant, self._deps.money.prices
        if body.prompt is not None:
            known = await self._deps.money.costs.calibration(tenant, body.prompt.model)
            return estimate_prompt(_shape(body.prompt), prices, known)
        name, _, version = (body.definition or "").partition("@")
        definition = await self._deps.definitions.get(tenant, name, version or None)
        program = (await prepare(self._deps, tenant, definition, run_input=body.input, config=body.config)).program
        learned = {model: await self._deps.money.costs.calibration(tenant, model) for model in models_of(program)}
        runs = await self._deps.money.costs.runs_of(tenant, name)
        return estimate_program(program, run_input=body.input, prices=prices, known=learned, runs=runs)

    async def list_prices(self, where: PricesWanted) -> PriceList:
        """Show what models cost per million tokens; without `model`, the operator's own prices."""
        if not where.model:
            return PriceList(items=tuple(self._deps.money.prices.configured()))
        found = {model: self._deps.money.prices.price(model, at=where.at) for model in dict.fromkeys(where.model)}
        return PriceList(
            items=tuple(price for price in found.values() if price is not None),
            unknown=tuple(model for model, price in found.items() if price is None),
        )


def _wants_csv(request: Request, asked: str | None) -> bool:
    return asked == "csv" or (asked is None and request.headers.get("accept", "").split(";")[0].split(",")[0].strip() == CSV_TYPE)


def _shape(prompt: PromptToEstimate) -> PromptShape:
    opening = opening_tokens_max(prompt.instructions, list(prompt.tools), prompt.output_schema)
    return PromptShape(
        model=prompt.model,
        input_tokens_max=opening + text_bytes(prompt.input) + MESSAGE_TOKENS,
        output_tokens_max=prompt.max_output_tokens,
    )
