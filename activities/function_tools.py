"""Python functions as tools: `@tool` makes of a function what a worker's registry takes; its schemas come from the annotations.

A function runs in the worker's own process, with all it may do there: write those yourself. What a model writes runs in a sandbox.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from pydantic import JsonValue, ValidationError

from domain.effects import EffectClass, RetryClass
from domain.errors import InvalidDefinition, ToolFailed
from domain.function_schemas import Function, Schema, Signature, docstring_of, signature_of
from domain.sensitive_names import sensitive_of
from domain.tool_registry import check_spec
from domain.tools import ToolCall, ToolSpec, Trust

P = ParamSpec("P")
R = TypeVar("R")


class FunctionTool(Generic[P, R]):
    """A function as a tool (`domain.tools.Tool`). Called like the function it is that function, so tests need nothing else."""

    def __init__(self, function: Callable[P, R], spec: ToolSpec, signature: Signature | None) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._spec = spec
        self._signature = signature

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself."""
        return self._function(*args, **kwargs)

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return self._spec

    async def call(self, call: ToolCall) -> JsonValue:
        """Call the function once; a plain `def` runs in a thread, which a cancellation cannot end.

        Raises:
            ToolFailed: the arguments are not what the function takes.
        """
        given = self._given(call)
        function = cast("Function", self._function)
        if inspect.iscoroutinefunction(function):
            returned = await cast("Awaitable[object]", function(**given))
        else:
            returned = await asyncio.to_thread(function, **given)
        if self._signature is None:
            return cast("JsonValue", returned)
        if self._signature.result is None:
            return None
        return cast("JsonValue", self._signature.result.dump_python(returned, mode="json", by_alias=True))

    def _given(self, call: ToolCall) -> dict[str, Any]:  # Any: the function's own types
        if self._signature is None:
            return dict(call.arguments)
        try:
            checked = self._signature.parameters.model_validate(call.arguments)
        except ValidationError as error:
            told = "; ".join(f"/{'/'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors(include_url=False))
            raise ToolFailed(f"the arguments of {call.tool} are not what it takes: {told}") from error
        given = {name: getattr(checked, name) for name in type(checked).model_fields}
        return given if self._signature.call_parameter is None else {**given, self._signature.call_parameter: call}


@overload
def tool(function: Callable[P, R], /) -> FunctionTool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    version: str = "1.0.0",
    description: str | None = None,
    effect: EffectClass | str = EffectClass.WRITE,
    retry: RetryClass | str | None = None,
    timeout_s: float = 30.0,
    max_attempts: int = 5,
    cost_usd_micros: int = 0,
    egress: Sequence[str] = (),
    secrets: Sequence[str] = (),
    url_arguments: Sequence[str] = (),
    sensitive_arguments: Sequence[str] | None = None,
    bindable: Sequence[str] = (),
    trust: Trust = "untrusted",
    docs: str = "",
    input_schema: Schema | None = None,
    output_schema: Schema | None = None,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...
def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    description: str | None = None,
    effect: EffectClass | str = EffectClass.WRITE,
    retry: RetryClass | str | None = None,
    timeout_s: float = 30.0,
    max_attempts: int = 5,
    cost_usd_micros: int = 0,
    egress: Sequence[str] = (),
    secrets: Sequence[str] = (),
    url_arguments: Sequence[str] = (),
    sensitive_arguments: Sequence[str] | None = None,
    bindable: Sequence[str] = (),
    trust: Trust = "untrusted",
    docs: str = "",
    input_schema: Schema | None = None,
    output_schema: Schema | None = None,
) -> Any:  # the overloads say what
    """Make a tool of a function, with or without options: `@tool` or `@tool(effect="read")`.

    Without `effect` it counts as a write that is never repeated on its own: say `none` or `read` where that is so. What reads is repeated
    by default. A parameter annotated `ToolCall` is given the call itself (its stable `idempotency_key`, its tenant, its principal) and is
    none of the model's. `input_schema` by hand stands for the annotations: the function is then given the arguments as they came.

    Raises:
        InvalidDefinition: no schema can be made of an annotation, or the name or version is none.
    """

    def made(inner: Function) -> FunctionTool[..., Any]:
        told = docstring_of(inner)
        signature = None if input_schema is not None else signature_of(inner, told)
        does = EffectClass(effect)
        default = RetryClass.AT_MOST_ONCE if does.changes_world else RetryClass.IDEMPOTENT
        said = description or told.description
        if not said:
            raise InvalidDefinition(f"{inner.__qualname__}: a tool needs a description, or a docstring: a model reads it")
        takes = cast("Schema", input_schema if signature is None else signature.input_schema)  # one of both is there
        try:
            spec = ToolSpec(
                name=name or inner.__name__,
                version=version,
                description=said,
                input_schema=takes,
                output_schema=output_schema if output_schema is not None else {} if signature is None else signature.output_schema,
                effect_class=does,
                retry_class=default if retry is None else RetryClass(retry),
                timeout_s=timeout_s,
                max_attempts=max_attempts,
                cost_usd_micros=cost_usd_micros,
                kind="python",
                egress=tuple(egress),
                secrets=tuple(secrets),
                url_arguments=tuple(url_arguments),
                sensitive_arguments=sensitive_of(sensitive_arguments, does, takes),
                bindable=tuple(bindable),
                trust=trust,
                docs=docs,
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise InvalidDefinition(f"{inner.__qualname__} is no tool: {first['loc'][0]}: {first['msg']}") from error
        check_spec(spec)
        return FunctionTool(inner, spec, signature)

    return made if function is None else made(function)
