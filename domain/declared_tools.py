"""Tools by declaration, of every kind that a declaration can make: a REST call, a container's command, a WebAssembly module. Pure."""

from typing import Final

from pydantic import JsonValue

from domain.http_tool import HttpToolDeclaration
from domain.sandbox_tool import ContainerToolDeclaration, WasmToolDeclaration

Declaration = HttpToolDeclaration | ContainerToolDeclaration | WasmToolDeclaration

_KINDS: Final[dict[str, type[Declaration]]] = {"container": ContainerToolDeclaration, "wasm": WasmToolDeclaration}


def declaration_model(raw: JsonValue) -> type[Declaration]:
    """Return the model of a declaration by its `kind`; without one it is an http tool, and so is judged what has a strange one."""
    kind = raw.get("kind", "http") if isinstance(raw, dict) else "http"
    return _KINDS.get(kind, HttpToolDeclaration) if isinstance(kind, str) else HttpToolDeclaration


def declaration_of(raw: JsonValue) -> Declaration:
    """Return a declaration, checked.

    Raises:
        ValidationError: it is none; pydantic's own, with the place of every mistake.
    """
    return declaration_model(raw).model_validate(raw)
