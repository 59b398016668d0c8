"""The tool `human.ask`, as agents see it: the agent loop makes a human task of its call (domain/agent_questions.py)."""

from typing import NoReturn

from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import ToolFailed
from domain.tools import ToolCall, ToolSpec


class HumanAsk:
    """`human.ask` 1.0.0."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        choices: JsonValue = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}, "minItems": 2, "maxItems": 20}
        return ToolSpec(
            name="human.ask",
            version="1.0.0",
            description="Asks a person and waits for the answer, which may take long. Ask what only a person can know or decide.",
            input_schema={
                "type": "object",
                "properties": {
                    "question": {"type": "string", "minLength": 1, "maxLength": 500},
                    "details": {"type": "string", "maxLength": 4000},
                    "choices": choices,
                },
                "required": ["question"],
                "additionalProperties": False,
            },
            output_schema={"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]},
            effect_class=EffectClass.NONE,
            trust="trusted",
            docs="docs/tools-builtin.md#humanask",
        )

    async def call(self, call: ToolCall) -> NoReturn:
        """Refuse: outside an agent the step `task` asks people.

        Raises:
            ToolFailed: always.
        """
        raise ToolFailed(f"{call.tool} is for agents: in a definition write a `task:` step")
