"""Python functions as tools: schemas from annotations of every kind, descriptions, calls in a thread or on the loop."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Optional, TypedDict

import pytest
from pydantic import BaseModel, Field, JsonValue

from adapters.tools.registry import ToolRegistry
from domain.effects import EffectClass, RetryClass
from domain.errors import InvalidDefinition, ToolFailed
from domain.schemas import check_schema, validate
from standfast_sdk import ToolCall, tool
from tests.adapters.tools.tool_calls import tool_call


class Address(BaseModel):
    """Where somebody lives."""

    city: str
    zip: str | None = None


class Person(BaseModel):
    """Somebody, with a model within."""

    name: str = Field(min_length=1)
    addresses: list[Address] = []


@dataclass
class Point:
    """A place on a map."""

    x: float
    y: float = 0.0


class Options(TypedDict, total=False):
    """What may be chosen."""

    depth: Annotated[int, "how deep to look"]


@tool(name="people.find", effect="read", cost_usd_micros=5)
async def find(  # noqa: PLR0917, D417 - arguments come by name; annotations describe the others
    person: Person,
    kind: Literal["near", "far"],
    limit: Annotated[int, "at most so many"] = 10,
    tags: Optional[list[str]] = None,  # noqa: UP045 - the older way to write it is understood too
    weights: dict[str, float | int] | None = None,
    at: Point | Literal["here"] = "here",
    options: Options | None = None,
) -> list[Person]:
    """Find people like somebody.

    Looks at all registers.

    Args:
        person: Whom they are like.
        kind: How far
            to look.
        limit: never read: the annotation says it.
    """
    assert isinstance(at, Point | str)
    assert options is None or options.get("depth") == 2
    assert tags is None
    assert weights is None
    return [person] * (limit if kind == "near" else 0)


def properties(schema: dict[str, JsonValue]) -> dict[str, dict[str, JsonValue]]:
    """Return a schema's properties."""
    found = schema["properties"]
    assert isinstance(found, dict)
    return {name: value for name, value in found.items() if isinstance(value, dict)}


class TestSchemas:
    def test_come_from_annotations_and_are_usable(self) -> None:
        schema = find.spec.input_schema
        check_schema(schema)
        check_schema(find.spec.output_schema)
        assert (schema["required"], schema["additionalProperties"]) == (["person", "kind"], False)
        given = properties(schema)
        assert given["kind"]["enum"] == ["near", "far"]
        assert given["tags"]["anyOf"] == [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]
        assert "title" not in str(schema)

    @pytest.mark.parametrize(
        ("arguments", "fits"),
        [
            ({"person": {"name": "Ada", "addresses": [{"city": "Oslo", "zip": None}]}, "kind": "near"}, True),
            ({"person": {"name": "Ada"}, "kind": "far", "at": {"x": 1}, "weights": {"a": 1.5}, "options": {"depth": 2}}, True),
            ({"person": {"name": ""}, "kind": "near"}, False),
            ({"person": {"name": "Ada"}, "kind": "beside"}, False),
            ({"person": {"name": "Ada"}, "kind": "near", "limit": "ten"}, False),
            ({"person": {"name": "Ada"}, "kind": "near", "options": {"depth": "x"}}, False),
            ({"person": {"name": "Ada"}, "kind": "near", "other": 1}, False),
        ],
    )
    def test_take_what_the_annotations_take(self, arguments: dict[str, JsonValue], *, fits: bool) -> None:
        assert (validate(find.spec.input_schema, arguments) == []) is fits

    def test_describe_arguments_by_annotation_or_docstring(self) -> None:
        given = properties(find.spec.input_schema)
        assert (given["limit"]["description"], given["kind"]["description"]) == ("at most so many", "How far to look.")
        assert find.spec.description == "Find people like somebody. Looks at all registers."
        assert "how deep to look" in str(find.spec.input_schema)

    def test_by_hand_stand_for_the_annotations(self) -> None:
        @tool(effect="none", description="Adds", input_schema={"type": "object", "properties": {"a": {"type": "integer"}}})
        def add(a, b=1):  # noqa: ANN001, ANN202 - nothing is annotated on purpose  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType]
            return a + b  # pyright: ignore[reportUnknownVariableType]  # as above

        assert add.spec.input_schema["properties"] == {"a": {"type": "integer"}}
        assert asyncio.run(add.call(tool_call({"a": 2}))) == 3


class TestDeclaration:
    def test_counts_as_a_write_that_is_never_repeated_unless_it_says_otherwise(self) -> None:
        @tool
        def act(what: str) -> None:
            """Do something."""
            del what

        assert (act.spec.effect_class, act.spec.retry_class, act.spec.kind) == (EffectClass.WRITE, RetryClass.AT_MOST_ONCE, "python")
        assert (find.spec.effect_class, find.spec.retry_class, find.spec.cost_usd_micros) == (EffectClass.READ, RetryClass.IDEMPOTENT, 5)
        assert act.spec.output_schema == {}

    def test_is_taken_by_the_registry_and_stays_a_function(self) -> None:
        assert ToolRegistry([find]).find("people.find", "1.0.0") is find
        assert asyncio.run(find(Person(name="Ada"), "near", limit=2)) == [Person(name="Ada")] * 2
        assert find.__doc__ is not None

    def test_without_annotation_description_or_usable_type_is_refused_with_the_reason(self) -> None:
        def bare(a):  # noqa: ANN001, ANN202 - what is refused  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType]
            """Do."""

        def silent(a: int) -> int:
            return a

        def odd(a: threading.Lock) -> None:
            """Do."""

        def several(*a: int) -> None:
            """Do."""

        wrong: list[tuple[Callable[..., object], str]]
        wrong = [(bare, "annotate the parameter `a`"), (silent, "description"), (odd, "no JSON Schema"), (several, "by name")]
        for function, said in wrong:
            with pytest.raises(InvalidDefinition, match=said):
                tool(function)
        with pytest.raises(InvalidDefinition, match="is no tool: name"):
            tool(name="Not a name", description="x")(silent)
        with pytest.raises(InvalidDefinition, match=r"major\.minor\.patch"):
            tool(version="1", description="x")(silent)


class TestCall:
    async def test_gives_the_function_its_own_types_and_returns_json(self) -> None:
        arguments: dict[str, JsonValue] = {"person": {"name": "Ada"}, "kind": "near", "limit": 1, "at": {"x": 1}, "options": {"depth": 2}}
        assert await find.call(tool_call(arguments)) == [{"name": "Ada", "addresses": []}]

    async def test_of_a_plain_function_runs_in_a_thread_beside_others(self) -> None:
        together = threading.Barrier(2, timeout=10)

        @tool(effect="none")
        def meet() -> str:
            """Wait for the other."""
            together.wait()
            return threading.current_thread().name

        names = await asyncio.gather(meet.call(tool_call()), meet.call(tool_call()))
        assert threading.current_thread().name not in names

    async def test_hands_the_call_to_a_parameter_of_its_type_that_no_model_sees(self) -> None:
        @tool(effect="none")
        def whose(call: ToolCall, n: int) -> str:
            """Say whose call it is."""
            return f"{call.tenant} {call.idempotency_key[:2]} {n}"

        assert list(properties(whose.spec.input_schema)) == ["n"]
        assert await whose.call(tool_call({"n": 1})) == "acme kk 1"

    async def test_with_other_arguments_fails_with_their_places(self) -> None:
        with pytest.raises(ToolFailed, match=r"/person/name"):
            await find.call(tool_call({"person": {}, "kind": "near"}, tool="people.find"))
