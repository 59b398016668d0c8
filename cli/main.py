"""The `standfast` command: every command's name, and the options that all of them share."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cli.commands import (
    agents,
    approvals,
    channels,
    dead_letters,
    evaluation,
    events,
    hooks,
    inbox,
    ledgers,
    lineage,
    local,
    mcp,
    memory,
    model_table,
    money,
    policies,
    registry,
    review,
    reviewing,
    runs,
    sagas,
    secret_references,
    subjects,
    tasks,
    tools,
    webhooks,
)
from cli.connection import Globals
from cli.group import ApprovalsGroup, RunsGroup, StandfastGroup

HELP = "Durable runs of AI agents: start them, decide what they ask, prove what they did."

app = typer.Typer(
    name="standfast", help=HELP, cls=StandfastGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_show_locals=False
)


def _add(group: typer.Typer, command: Callable[..., None], name: str | None = None) -> None:
    """Add a command under a name, its function's by default; its help is the docstring's first paragraph, the rest is for readers."""
    group.command(name, help=(command.__doc__ or "").partition("\n\n")[0].strip())(command)


_add(app, local.demo)
_add(app, local.dev)
_add(app, local.worker)
_add(app, local.gateway)
_add(app, local.migrate)
_add(app, registry.register)
_add(app, registry.definitions)
_add(app, runs.run)
_add(app, runs.result)
_add(app, runs.cancel)
_add(app, runs.trace)
_add(app, events.events)
_add(app, evaluation.evaluate, "eval")
_add(app, evaluation.replay)
_add(app, sagas.sagas)
_add(app, sagas.compensate)
_add(app, approvals.approve)
_add(app, approvals.reject)
_add(app, ledgers.verify)
_add(app, local.validate)
_add(app, local.doctor)

_add(app, subjects.erase)
_add(app, subjects.erasures)

retention_app = typer.Typer(help="How long content is kept, and legal holds.", invoke_without_command=True)
retention_app.callback()(subjects.retention)
_add(retention_app, subjects.set_rule, "set")
_add(retention_app, subjects.purge)
_add(retention_app, subjects.hold)
_add(retention_app, subjects.release)
app.add_typer(retention_app, name="retention")

runs_app = typer.Typer(help="Runs: list, show, redrive, fork, compare.", cls=RunsGroup, invoke_without_command=True)
runs_app.callback()(runs.runs)
_add(runs_app, lineage.show)
_add(runs_app, lineage.redrive)
_add(runs_app, lineage.fork)
_add(runs_app, lineage.compare)
_add(runs_app, hooks.signal)
app.add_typer(runs_app, name="runs")

agents_app = typer.Typer(help="Registered agents, and where their versions stand.", invoke_without_command=True)
agents_app.callback()(agents.agents)
_add(agents_app, agents.show)
_add(agents_app, agents.register)
_add(agents_app, agents.review)
_add(agents_app, agents.approve)
_add(agents_app, agents.reject)
_add(agents_app, agents.deprecate)
_add(agents_app, agents.retire)
app.add_typer(agents_app, name="agents")

prompts_app = typer.Typer(help="The texts of agents' instructions.", invoke_without_command=True)
prompts_app.callback()(agents.prompts)
_add(prompts_app, agents.show_prompt, "show")
_add(prompts_app, agents.register_prompt, "register")
app.add_typer(prompts_app, name="prompts")

budgets_app = typer.Typer(help="Limits on what runs may use, and what is reserved and spent.", invoke_without_command=True)
budgets_app.callback()(money.budgets)
_add(budgets_app, money.set_budget, "set")
_add(budgets_app, money.clear)
_add(budgets_app, money.events)
app.add_typer(budgets_app, name="budgets")

costs_app = typer.Typer(help="What was settled: sums, invoices; estimates and prices.", invoke_without_command=True)
costs_app.callback()(money.costs)
_add(costs_app, money.invoice)
_add(costs_app, money.estimate)
_add(costs_app, money.prices)
app.add_typer(costs_app, name="costs")

channels_app = typer.Typer(help="Who is told of approvals and tasks, by mail, Slack or a plugin.", invoke_without_command=True)
channels_app.callback()(channels.channels)
_add(channels_app, channels.add)
_add(channels_app, channels.remove)
_add(channels_app, channels.send_test, "test")
_add(channels_app, channels.deliveries)
_add(channels_app, channels.rotate_links)
app.add_typer(channels_app, name="channels")

contacts_app = typer.Typer(help="Where reviewers are reached.", invoke_without_command=True)
contacts_app.callback()(channels.contacts)
_add(contacts_app, channels.set_contact, "set")
_add(contacts_app, channels.forget)
app.add_typer(contacts_app, name="contacts")

review_app = typer.Typer(help="What can be said to an approval beside approve and reject.", no_args_is_help=True)
_add(review_app, review.amend)
_add(review_app, review.ask)
_add(review_app, review.answer)
_add(review_app, review.extend)
_add(review_app, review.delegate)
_add(review_app, review.withdraw)
app.add_typer(review_app, name="review")

approvals_app = typer.Typer(
    help="The inbox: what waits for people, and who approved exactly what.", cls=ApprovalsGroup, invoke_without_command=True
)
approvals_app.callback()(inbox.approvals)
_add(approvals_app, inbox.show)
_add(approvals_app, inbox.assign)
_add(approvals_app, inbox.audit)
app.add_typer(approvals_app, name="approvals")

models_app = typer.Typer(help="Words that stand for models, and what models can do.", invoke_without_command=True)
models_app.callback()(model_table.models)
_add(models_app, model_table.set_alias, "set")
_add(models_app, model_table.remove)
_add(models_app, model_table.show)
app.add_typer(models_app, name="models")

calendars_app = typer.Typer(help="Working hours, in which approvals may count their deadlines.", invoke_without_command=True)
calendars_app.callback()(reviewing.calendars)
_add(calendars_app, reviewing.show)
_add(calendars_app, reviewing.put)
_add(calendars_app, reviewing.retire)
_add(calendars_app, reviewing.instants)
app.add_typer(calendars_app, name="calendars")

substitutes_app = typer.Typer(help="Who decides in a reviewer's place, and when.", invoke_without_command=True)
substitutes_app.callback()(reviewing.substitutes)
_add(substitutes_app, reviewing.set_substitute, "set")
_add(substitutes_app, reviewing.end)
app.add_typer(substitutes_app, name="substitutes")

tasks_app = typer.Typer(help="Work for people, and questions about effects whose outcome is unknown.", invoke_without_command=True)
tasks_app.callback()(tasks.tasks)
_add(tasks_app, tasks.show)
_add(tasks_app, tasks.make)
_add(tasks_app, tasks.take)
_add(tasks_app, tasks.assign)
_add(tasks_app, tasks.release)
_add(tasks_app, tasks.escalate)
_add(tasks_app, tasks.complete)
app.add_typer(tasks_app, name="tasks")

letters_app = typer.Typer(help="What was given up, to redrive or discard.", invoke_without_command=True)
letters_app.callback()(dead_letters.dead_letters)
_add(letters_app, dead_letters.show)
_add(letters_app, dead_letters.redrive)
_add(letters_app, dead_letters.progress)
_add(letters_app, dead_letters.discard)
app.add_typer(letters_app, name="dead-letters")

tools_app = typer.Typer(help="Which tools there are, who may call them, and who did.", invoke_without_command=True)
tools_app.callback()(tools.tools)
_add(tools_app, tools.show)
_add(tools_app, tools.register)
_add(tools_app, tools.import_openapi, "import-openapi")
_add(tools_app, tools.quarantine)
_add(tools_app, tools.release)
_add(tools_app, tools.retire)
_add(tools_app, tools.grants)
_add(tools_app, tools.grant)
_add(tools_app, tools.revoke)
_add(tools_app, tools.calls)
_add(tools_app, tools.anomalies)
app.add_typer(tools_app, name="tools")

webhooks_app = typer.Typer(help="Where events go, and what became of each delivery.", invoke_without_command=True)
webhooks_app.callback()(webhooks.webhooks)
_add(webhooks_app, webhooks.add)
_add(webhooks_app, webhooks.show)
_add(webhooks_app, webhooks.change)
_add(webhooks_app, webhooks.remove)
_add(webhooks_app, webhooks.rotate)
_add(webhooks_app, webhooks.send_test, "test")
_add(webhooks_app, webhooks.replay)
_add(webhooks_app, webhooks.deliveries)
_add(webhooks_app, webhooks.delivery)
_add(webhooks_app, webhooks.redeliver)
app.add_typer(webhooks_app, name="webhooks")

hooks_app = typer.Typer(help="Senders whose webhooks start runs or become signals.", invoke_without_command=True)
hooks_app.callback()(hooks.hooks)
_add(hooks_app, hooks.add)
_add(hooks_app, hooks.show)
_add(hooks_app, hooks.change)
_add(hooks_app, hooks.remove)
_add(hooks_app, hooks.rotate)
_add(hooks_app, hooks.requests)
app.add_typer(hooks_app, name="hooks")

mcp_app = typer.Typer(help="MCP servers whose tools runs may use, and Standfast itself as one.", invoke_without_command=True)
mcp_app.callback()(mcp.servers)
_add(mcp_app, mcp.list_servers, "list")
_add(mcp_app, mcp.add)
_add(mcp_app, mcp.show)
_add(mcp_app, mcp.check)
_add(mcp_app, mcp.approve)
_add(mcp_app, mcp.quarantine)
_add(mcp_app, mcp.remove)
_add(mcp_app, mcp.authorize)
_add(mcp_app, mcp.serve)
app.add_typer(mcp_app, name="mcp")

memory_app = typer.Typer(help="What agents saved beyond their runs, and what they may recall.", invoke_without_command=True)
memory_app.callback()(memory.memories)
_add(memory_app, memory.list_memories, "list")
_add(memory_app, memory.quarantine)
_add(memory_app, memory.release)
_add(memory_app, memory.forget)
app.add_typer(memory_app, name="memory")

policy_app = typer.Typer(help="Which tool calls are allowed, denied, or put before a person.", invoke_without_command=True)
policy_app.callback()(policies.policies)
_add(policy_app, policies.list_sets, "list")
_add(policy_app, policies.show)
_add(policy_app, policies.register)
_add(policy_app, policies.activate)
_add(policy_app, policies.explain)
_add(policy_app, policies.play_tests, "test")
app.add_typer(policy_app, name="policy")

secrets_app = typer.Typer(help="Where the values of tools' secrets lie.", invoke_without_command=True)
secrets_app.callback()(secret_references.secrets)
_add(secrets_app, secret_references.list_secrets, "list")
_add(secrets_app, secret_references.set_reference)
_add(secrets_app, secret_references.remove)
app.add_typer(secrets_app, name="secrets")

ledger_app = typer.Typer(help="The signed log over all ledgers: evidence, tree heads, keys.", no_args_is_help=True)
_add(ledger_app, ledgers.export)
_add(ledger_app, ledgers.heads)
_add(ledger_app, ledgers.keys)
app.add_typer(ledger_app, name="ledger")

keys_app = typer.Typer(help="Keys of this installation.", no_args_is_help=True)
_add(keys_app, local.create_key, "create")
_add(keys_app, local.revoke_key, "revoke")
_add(keys_app, ledgers.rotate_signing)
app.add_typer(keys_app, name="keys")


@app.callback()
def standfast(
    ctx: typer.Context,
    *,
    url: Annotated[str | None, typer.Option(help="Gateway to speak to; else STANDFAST_URL, else the local stack.")] = None,
    key: Annotated[str | None, typer.Option(help="API key; better in STANDFAST_API_KEY, where other users cannot see it.")] = None,
    role: Annotated[str | None, typer.Option(help="Whose key of the local stack to use; else STANDFAST_ROLE.")] = None,
    state_dir: Annotated[
        Path | None, typer.Option(help="State folder of the local stack; else STANDFAST_STATE_DIR, else .standfast.")
    ] = None,
) -> None:
    """Durable runs of AI agents: start them, decide what they ask, prove what they did."""
    ctx.obj = Globals(url=url, key=key, role=role, state_dir=state_dir)


def main() -> None:
    """Run the command line."""
    app(prog_name="standfast")


if __name__ == "__main__":
    sys.exit(main())
