"""A tool that answers what it is told, and a toolbox of such tools; both pass the suites of the real ones."""

import asyncio

from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import ToolFailed
from domain.tools import Tool, ToolCall, ToolSpec

DEFAULT_SPEC = ToolSpec(
    name="fake.echo",
    version="1.0.0",
    description="Answers what it is told.",
    input_schema={"type": "object", "properties": {"text": {"type": "string"}}},
    output_schema={"type": "object"},
    effect_class=EffectClass.READ,
)


class FakeTool:
    """Gives its answers in order and then the last one again; an answer that is an exception is raised. Remembers its calls.

    While `released` is cleared a call waits; `cancelled` counts the calls that were cancelled while they waited.
    """

    def __init__(self, spec: ToolSpec = DEFAULT_SPEC, *answers: JsonValue | Exception) -> None:
        self._spec = spec
        self._answers = list(answers or ({},))
        self.calls: list[ToolCall] = []
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()
        self.cancelled = 0

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return self._spec

    async def call(self, call: ToolCall) -> JsonValue:
        """Answer, as told."""
        self.calls.append(call)
        self.begun.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeToolBox:
    """A toolbox over a plain list."""

    def __init__(self, *tools: Tool) -> None:
        self._tools = list(tools)

    def specs(self) -> list[ToolSpec]:
        """Every tool, sorted by name, then version."""
        return sorted((tool.spec for tool in self._tools), key=lambda spec: (spec.name, [int(part) for part in spec.version.split(".")]))

    def find(self, name: str, version: str) -> Tool:
        """Return the tool."""
        for tool in self._tools:
            if (tool.spec.name, tool.spec.version) == (name, version):
                return tool
        have = ", ".join(f"{spec.name} {spec.version}" for spec in self.specs()) or "none"
        raise ToolFailed(f"no tool {name} {version}; this worker has {have}")
