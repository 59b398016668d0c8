"""The grammar of the blocks inside a step: calls, agents, approvals, conditions, retries. Pure.

Separate from `domain/definition_steps.py`, which reads the lists of steps around them.
"""

from typing import Literal, cast

from pydantic import JsonValue

from domain.budget import AMOUNT_MAX, BudgetRule, usd_micros
from domain.definition_approvals import ApprovalReader
from domain.definition_keywords import (
    AGENT_KEYS,
    APPROVE_KEYS,
    BUDGET_KEYS,
    COMPENSATE_KEYS,
    LISTEN_KEYS,
    RETRY_KEYS,
    USES_KEYS,
)
from domain.definition_model_grammar import model_options
from domain.definition_parts import AgentUse, DocPath, ParsedDefinition, Spot, ToolUse, Use
from domain.definition_reader import Node
from domain.errors import ExpressionFailed
from domain.expressions import whole
from domain.model_table import DEFAULT
from domain.program import AgentStep, ApproveStep, CallStep, Compensation, ListenStep, RetryRule
from domain.signals import is_signal_name
from domain.versions import is_range


class BlockReader(ApprovalReader):
    """Reads what stands under a keyword, and notes templates and tools in `parsed`."""

    def __init__(self, parsed: ParsedDefinition) -> None:
        super().__init__()
        self.mistakes = parsed.mistakes
        self.parsed = parsed

    def spot(self, path: DocPath, owner: str, use: Use, template: JsonValue) -> None:
        """Note where a template stands."""
        self.parsed.spots.append(Spot(path=path, owner=owner, use=use, template=template))

    def tool(self, reference: str, path: DocPath) -> str:
        """Return the name of a tool reference `name` or `name@range`, and note its use."""
        name, _, version_range = reference.partition("@")
        if version_range and not is_range(version_range):
            self.note(path, f"`{version_range}` is no range of versions", f"{name}@^1")
            version_range = ""
        self.parsed.tools.append(ToolUse(path=path, name=name, range=version_range))
        return name

    def condition(self, value: JsonValue, path: DocPath, owner: str) -> str | None:
        """Return the bare expression of a condition, which is one whole `${ }`."""
        if isinstance(value, str):
            try:
                source = whole(value)
            except ExpressionFailed as error:
                self.note(path, error.detail)
                return None
            if source is not None:
                self.spot(path, owner, "condition", value)
                return source
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        self.note(path, "a condition is one whole expression", f'"${{ {shown} }}"' if "${" not in shown else '"${ … }"')
        return None

    def retry(self, value: JsonValue, path: DocPath) -> RetryRule:
        """Return the rule of a `retry:`."""
        node = self.mapping(value, path, "retry: {max_attempts: 3, delay: 1s, backoff: 2, max_delay: 30s}") or {}
        self.keys(node, path, RETRY_KEYS, place="retry")
        return RetryRule(
            max_attempts=self.integer(node, "max_attempts", path, default=5, between=(1, 10)),
            delay_s=self.duration(node, "delay", path) or 1.0,
            backoff=self.number(node, "backoff", path, default=2.0, low=1),
            max_delay_s=self.duration(node, "max_delay", path) or 30.0,
        )

    def budget(self, value: JsonValue, path: DocPath) -> BudgetRule | None:
        """Return the rule of a `budget:`, or None if it is no mapping."""
        node = self.mapping(value, path, 'budget: {usd: "0.50", tokens: 60000, seconds: 120}')
        if node is None:
            return None
        self.keys(node, path, BUDGET_KEYS, place="budget")
        if not node:
            self.note(path, "`budget` is empty", "one or more of usd, tokens, seconds")
        tokens = self.integer(node, "tokens", path, default=60_000, between=(0, AMOUNT_MAX)) if "tokens" in node else None
        seconds = self.integer(node, "seconds", path, default=120, between=(0, AMOUNT_MAX // 1000)) if "seconds" in node else None
        ms = None if seconds is None else 1000 * seconds
        return BudgetRule(usd_micros=self._dollars(node, path) if "usd" in node else None, tokens=tokens, ms=ms)

    def _dollars(self, node: Node, path: DocPath) -> int | None:
        value = node["usd"]
        micros = usd_micros(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
        if micros is None:
            shown = value if isinstance(value, float) and usd_micros(str(value)) is not None else "0.50"
            self.note((*path, "usd"), "`usd` is an amount in quotes with at most six decimals: money is exact", f'usd: "{shown}"')
        return micros

    def call(self, body: Node, path: DocPath, step_path: str, common: dict[str, object], *, in_saga: bool) -> CallStep:
        """Return a `call:` step; `common` is what every step may say."""
        compensate = None
        if "compensate" in body:
            if not in_saga:
                self.note((*path, "compensate"), "`compensate` belongs to a step inside a `saga`", on_key=True)
            compensate = self._compensation(body["compensate"], (*path, "compensate"), step_path)
        reference = self.text(body, "call", path, example="call: tool.name")
        tool = self.tool(reference, (*path, "call")) if reference else ""
        arguments = self._arguments(body, path, step_path, "template")
        parts = {word: self._saga_word(body, word, path, in_saga=in_saga) for word in ("pivot", "retriable")}
        return CallStep.model_validate({**common, "tool": tool, "arguments": arguments, "compensate": compensate, **parts})

    def _saga_word(self, body: Node, word: str, path: DocPath, *, in_saga: bool) -> bool:
        if word in body and not in_saga:
            self.note((*path, word), f"`{word}` belongs to a step inside a `saga`", on_key=True)
        return self.boolean(body, word, path, default=False)

    def _arguments(self, body: Node, path: DocPath, step_path: str, use: Use) -> JsonValue:
        value = body.get("with", {})
        if isinstance(value, dict) or (isinstance(value, str) and value.startswith("${")):
            self.spot((*path, "with"), step_path, use, value)
            return value
        self.note((*path, "with"), "`with` is a mapping of argument names to values", "with: {amount: 5}")
        return {}

    def _compensation(self, value: JsonValue, path: DocPath, step_path: str) -> Compensation | None:
        node = self.mapping(value, path, "compensate: {call: tool.name, with: {…}}")
        if node is None:
            return None
        self.keys(node, path, COMPENSATE_KEYS, place="compensate")
        reference = self.text(node, "call", path, example="call: tool.name")
        choice = self.choice(node, "if_unknown", path, ("ask", "compensate"))
        return Compensation(
            tool=self.tool(reference, (*path, "call")) if reference else "",
            arguments=self._arguments(node, path, step_path, "compensation"),
            if_unknown=cast("Literal['compensate', 'ask']", choice),
            retry=self.retry(node["retry"], (*path, "retry")) if "retry" in node else None,
        )

    def agent(self, value: JsonValue, path: DocPath, step_path: str, common: dict[str, object]) -> AgentStep | None:
        """Return an `agent:` step, or None if it is no mapping."""
        node = self.mapping(value, path, "agent: {model: provider/name, instructions: prompt-name}")
        if node is None:
            return None
        if "uses" in node:
            return self._registered_agent(node, path, step_path, common)
        self.keys(node, path, AGENT_KEYS, place="agent")
        model = self.text(node, "model", path, example="model: provider/name") if "model" in node else DEFAULT
        self.spot((*path, "model"), step_path, "model", model)
        text = self._instructions(node, path, step_path)
        self.spot((*path, "input"), step_path, "template", node.get("input"))
        return AgentStep.model_validate(
            {
                **common,
                "model": model,
                "instructions": text,
                "input": node.get("input"),
                "tools": self._tool_names(node.get("tools", []), (*path, "tools")),
                "max_turns": self.integer(node, "max_turns", path, default=8, between=(1, 64)),
                "max_output_tokens": self.integer(node, "max_output_tokens", path, default=4096, between=(1, 1_000_000)),
                "output_schema": self._output_schema(node.get("output"), (*path, "output")) if "output" in node else None,
                **model_options(self, node, path),
            }
        )

    def _registered_agent(self, node: Node, path: DocPath, step_path: str, common: dict[str, object]) -> AgentStep:
        """Return the step of an agent by name; its model, tools and limits are put in where the registry is known."""
        reference = self.text(node, "uses", path, example="uses: agent-name@^1")
        for key in (key for key in node if key in AGENT_KEYS and key not in USES_KEYS):
            self.note((*path, key), f"a registered agent brings its own `{key}`", "another version of the agent", on_key=True)
        self.keys({key: value for key, value in node.items() if key not in AGENT_KEYS}, path, USES_KEYS, place="agent")
        name, _, version_range = reference.partition("@")
        if version_range and not is_range(version_range):
            self.note((*path, "uses"), f"`{version_range}` is no range of versions", f"{name}@^1")
        elif name:
            self.parsed.agents.append(AgentUse(path=path, step=step_path, reference=reference))
        variables = self.mapping(node["with"], (*path, "with"), "with: {tone: formal}") if "with" in node else None
        self.spot((*path, "input"), step_path, "template", node.get("input"))
        self.spot((*path, "with"), step_path, "template", variables)
        said = {"model": "", "instructions": "", "uses": reference, "input": node.get("input"), "variables": variables}
        shown = model_options(self, {"attachments": node["attachments"]} if "attachments" in node else {}, path)
        return AgentStep.model_validate({**common, **said, **shown})

    def _instructions(self, node: Node, path: DocPath, step_path: str) -> str:
        at = (*path, "instructions")
        value = node.get("instructions")
        if not isinstance(value, dict):
            example = "instructions: prompt-name, with prompts/prompt-name.md, or instructions: {text: …}"
            message = "`instructions` is missing" if value is None else "`instructions` names a prompt, or is {text: …}"
            self.note(at if "instructions" in node else path, message, example)
            return ""
        self.keys(value, at, ("text", "name", "version"), place="instructions")
        text = self.text(value, "text", at, example="instructions: {text: You review claims.}")
        self.spot((*at, "text"), step_path, "template", text)
        return text

    def _tool_names(self, value: JsonValue, path: DocPath) -> list[str]:
        if not isinstance(value, list):
            self.note(path, "`tools` is a list of tool names", "tools: [tool.name]")
            return []
        names: list[str] = []
        for index, item in enumerate(value):
            if not isinstance(item, str):
                self.note((*path, index), "a tool is named by text", "tools: [tool.name]")
                continue
            name = self.tool(item, (*path, index))
            if name in names:
                self.note((*path, index), f"`{name}` is listed twice")
            names.append(name)
        return names

    def _output_schema(self, value: JsonValue, path: DocPath) -> Node | None:
        node = self.mapping(value, path, "output: {schema: {type: object, …}}")
        if node is None:
            return None
        self.keys(node, path, ("schema",), place="agent output")
        return self.schema(node, path)

    def approve(self, value: JsonValue, path: DocPath, step_path: str, common: dict[str, object]) -> ApproveStep | None:
        """Return an `approve:` step, or None if it is no mapping."""
        node = self.mapping(value, path, "approve: {title: …, reviewers: {role: …}}")
        if node is None:
            return None
        self.keys(node, path, APPROVE_KEYS, place="approve")
        title = self.text(node, "title", path, example='title: "Pay ${ … }?"')
        self.spot((*path, "title"), step_path, "template", title)
        timeout_s = self.duration(node, "timeout", path)
        if timeout_s is not None and common["timeout_s"] is not None:
            self.note((*path, "timeout"), "this step says `timeout` twice; keep the one inside `approve`", on_key=True)
        if "on_timeout" in node and "timeout" not in node and common["timeout_s"] is None:
            self.note((*path, "on_timeout"), "`on_timeout` needs a `timeout`", "timeout: 24h", on_key=True)
        timeout_s = timeout_s or cast("float | None", common["timeout_s"])
        return ApproveStep.model_validate(
            {
                **common,
                **self.asking(node, path, timeout_s),
                "timeout_s": timeout_s,
                "title": title,
                "binds": self._binds(node.get("binds", []), (*path, "binds")),
            }
        )

    def listen(self, value: JsonValue, path: DocPath, step_path: str, common: dict[str, object]) -> ListenStep | None:
        """Return a `listen:` step, or None if it is no mapping."""
        node = self.mapping(value, path, 'listen: {signal: payment.settled, correlate: "${ … }", timeout: 24h}')
        if node is None:
            return None
        self.keys(node, path, LISTEN_KEYS, place="listen")
        name = self.text(node, "signal", path, example="signal: payment.settled")
        if name and not is_signal_name(name):
            self.note((*path, "signal"), f"`{name[:60]}` is no name of a signal: lower-case words, joined by . - or _", "payment.settled")
        correlate = self.text(node, "correlate", path) if "correlate" in node else None
        if correlate:
            self.spot((*path, "correlate"), step_path, "template", correlate)
        timeout_s = self.duration(node, "timeout", path)
        if timeout_s is not None and common["timeout_s"] is not None:
            self.note((*path, "timeout"), "this step says `timeout` twice; keep the one inside `listen`", on_key=True)
        return ListenStep.model_validate({**common, "timeout_s": timeout_s or common["timeout_s"], "signal": name, "correlate": correlate})

    def _binds(self, value: JsonValue, path: DocPath) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.note(path, "`binds` is a list of paths of call steps", "binds: [settle.pay]")
            return []
        return [str(item) for item in value]
