"""The tool `python.run`: a model's Python code in a sandbox. Mistakes of the code are results that the model reads and mends."""

import json
from collections.abc import Iterable
from typing import cast

from pydantic import JsonValue

from adapters.tools.registry import ToolContext
from domain.effects import EffectClass, RetryClass
from domain.errors import ToolFailed, ToolUnavailable
from domain.sandbox import Sandbox, SandboxProfile, SandboxResult
from domain.tools import Tool, ToolCall, ToolSpec

DEFAULT_PROFILE = "python-small"

DEPTH_MAX = 64
"""Deeper values are handed on as text."""
INTEGER_DIGITS_MAX = 15
"""Every integer of 15 digits lies within ±(2⁵³−1)."""

RUNNER = """\
import ast, json, sys
inputs = json.load(open("inputs.json", encoding="utf-8"))
tree = ast.parse(open("main.py", encoding="utf-8").read(), "main.py")
last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
names = {"__name__": "__main__", "inputs": inputs}
exec(compile(tree, "main.py", "exec"), names)
if last is not None:
    value = eval(compile(ast.Expression(last.value), "main.py", "eval"), names)
    if value is not None:
        sys.stdout.write("\\x1e" + json.dumps(value, default=repr))
"""
"""For backends with a whole CPython: binds `inputs`, runs `main.py`, and writes its last expression after U+001E (record separator)."""

DESCRIPTION = (
    "Runs Python code in a sandbox without network or files and returns what it printed and the value of its last expression. "
    "The object given as `inputs` is the global variable `inputs`. `ended` says how the run ended: `exit` (see exit_code and stderr), "
    "`timeout`, `memory`, `output` (printed too much) or `error`. Do sums here instead of in your head."
)
NETWORKED = DESCRIPTION.replace("without network or files", "that reaches {} and nothing else,")
"""For a profile with a network: what the code sends there changes the world, and what it fetches anybody may have written."""
INPUT_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "code": {
            "type": "string",
            "minLength": 1,
            "maxLength": 65536,
            "description": "Python source; end with an expression to return its value",
        },
        "inputs": {"type": "object", "description": "values for the global variable `inputs`"},
    },
    "required": ["code"],
    "additionalProperties": False,
}
OUTPUT_SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {
        "ended": {"enum": ["exit", "timeout", "memory", "output", "error"]},
        "exit_code": {"type": "integer"},
        "stdout": {"type": "string"},
        "stderr": {"type": "string"},
        "value": {"description": "the last expression as JSON, or null"},
        "truncated": {"type": "boolean", "description": "whether output was cut at the profile's limit"},
    },
    "required": ["ended", "exit_code", "stdout", "stderr", "value", "truncated"],
    "additionalProperties": False,
}


class PythonRun:
    """`python.run` 1.0.0 on a sandbox under one profile."""

    def __init__(self, sandbox: Sandbox, profile: SandboxProfile) -> None:
        self._sandbox = sandbox
        self._profile = profile
        network = profile.network == "allow"
        self._spec = ToolSpec(
            name="python.run",
            version="1.0.0",
            description=NETWORKED.format(", ".join(profile.egress)) if network else DESCRIPTION,
            input_schema=INPUT_SCHEMA,
            output_schema=OUTPUT_SCHEMA,
            effect_class=EffectClass.WRITE if network else EffectClass.NONE,
            retry_class=RetryClass.AT_MOST_ONCE if network else RetryClass.IDEMPOTENT,
            timeout_s=profile.wall_s + 10.0,
            sandbox=profile.name,
            egress=profile.egress,
            sensitive_arguments=("code", "inputs") if network else (),
            # Without a network it computes from its arguments alone, and its result keeps their labels.
            trust="untrusted" if network else "trusted",
        )

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares; its timeout leaves 10 s beyond the profile for a queue before the sandbox."""
        return self._spec

    async def call(self, call: ToolCall) -> JsonValue:
        """Run the code once.

        Raises:
            ToolFailed: `code` is no text.
            ToolUnavailable: the sandbox itself broke; the code did not cause it, so another attempt may help.
            SandboxUnavailable: this machine lacks the profile's backend.
        """
        code = call.arguments.get("code")
        if not isinstance(code, str):
            raise ToolFailed("python.run needs the argument code as a text", where="/code")
        whole = self._profile.backend != "monty"
        files = {"main.py": code.encode("utf-8", errors="replace"), "inputs.json": json.dumps(call.arguments.get("inputs") or {}).encode()}
        if whole:
            files["run.py"] = RUNNER.encode()
        command = ["python3", "run.py"] if whole else ["python", "main.py"]
        result = await self._sandbox.run(self._profile, command, files=files)
        if result.ended == "error":
            raise ToolUnavailable(f"the sandbox broke while it ran the code: {result.stderr[:500] or 'no reason given'}")
        return _told(result, whole=whole)


def _told(result: SandboxResult, *, whole: bool) -> JsonValue:
    """Return the result as the model reads it."""
    stdout, text = result.stdout, result.value
    if whole and not result.truncated:
        stdout, _, text = result.stdout.rpartition("\x1e") if "\x1e" in result.stdout else (result.stdout, "", None)
    return {
        "ended": result.ended,
        "exit_code": result.exit_code,
        "stdout": stdout,
        "stderr": result.stderr,
        "value": _parsed(text),
        "truncated": result.truncated,
    }


def _parsed(text: str | None) -> JsonValue:
    """Return the value of a JSON text; a text that is none, or is nested too deeply, stays a text, since the code wrote it."""
    if not text:
        return None
    try:
        value = cast("JsonValue", json.loads(text, parse_constant=str, parse_int=_integer))
    except (ValueError, RecursionError):
        return text
    return value if _depth_fits(value, DEPTH_MAX) else text


def _integer(digits: str) -> int | str:
    """Return an integer that canonical JSON can carry, or its digits (RFC 8785: numbers are doubles)."""
    return int(digits) if len(digits) <= INTEGER_DIGITS_MAX else digits


def _depth_fits(value: JsonValue, room: int) -> bool:
    """Whether `value` is nested at most `room` deep."""
    if room == 0:
        return False
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_depth_fits(child, room - 1) for child in children)


def build(context: ToolContext) -> Iterable[Tool]:
    """The factory behind the entry point `python_run`."""
    return [PythonRun(context.sandbox, context.profiles[DEFAULT_PROFILE])]
