"""The tool `calc`: sums in exact decimals."""

from pydantic import JsonValue

from domain.arithmetic import CHARS_MAX, FUNCTIONS, calculate, shown
from domain.effects import EffectClass
from domain.errors import InvalidInput, ToolFailed
from domain.tools import ToolCall, ToolSpec

SAFE_INTEGER_MAX = 2**53 - 1
"""RFC 8785: canonical JSON carries integers up to here."""


class Calc:
    """`calc` 1.0.0."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return ToolSpec(
            name="calc",
            version="1.0.0",
            description=(
                "Computes an expression exactly, in decimals: + - * / // % ^, parentheses, pi, e, and "
                f"{', '.join(FUNCTIONS)}. Write numbers with a point and without currency signs. `value` is the result as text."
            ),
            input_schema={
                "type": "object",
                "properties": {"expression": {"type": "string", "minLength": 1, "maxLength": CHARS_MAX}},
                "required": ["expression"],
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "properties": {"value": {"type": "string"}, "number": {"type": ["number", "null"]}},
                "required": ["value", "number"],
                "additionalProperties": False,
            },
            effect_class=EffectClass.NONE,
            timeout_s=5.0,
            trust="trusted",
            docs="docs/tools-builtin.md#calc",
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Compute it.

        Raises:
            ToolFailed: it is no expression or has no value.
        """
        try:
            value = calculate(str(call.arguments["expression"]))
        except InvalidInput as error:
            raise ToolFailed(error.detail, where=error.where) from error
        whole = value == value.to_integral_value()
        number = (int(value) if abs(value) <= SAFE_INTEGER_MAX else None) if whole else float(value)
        return {"value": shown(value), "number": number if number is None or abs(number) < 1e300 else None}
