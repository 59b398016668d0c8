"""What stands around the operations of an OpenAPI document: its version, its address, its paths, and names for tools. Pure."""

import re
from typing import Final, cast
from urllib.parse import urlsplit

from pydantic import JsonValue

from domain.errors import InvalidDefinition
from domain.openapi_schemas import Node
from domain.sensitive_names import plain_name

METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
NAME_CHARS_MAX: Final = 60
"""Providers allow names of 64 characters; a number may follow."""


def checked_document(document: JsonValue) -> Node:
    """Return what was parsed, when it is an OpenAPI 3 document.

    Raises:
        InvalidDefinition: it is not.
    """
    if not isinstance(document, dict):
        raise InvalidDefinition("an OpenAPI document is a mapping, with `openapi` and `paths`", where="/")
    if "swagger" in document:
        raise InvalidDefinition("this is a Swagger 2.0 document: convert it to OpenAPI 3 first", where="/swagger")
    if not str(document.get("openapi", "")).startswith("3."):
        raise InvalidDefinition("`openapi` must be 3.0 or 3.1", where="/openapi")
    if not isinstance(document.get("paths"), dict):
        raise InvalidDefinition("the document has no `paths`", where="/paths")
    return document


def operations_of(document: Node) -> list[tuple[str, str, JsonValue, Node]]:
    """Return (method, path, what the path's operations share as parameters, operation), in the document's order."""
    found: list[tuple[str, str, JsonValue, Node]] = []
    for path, item in cast("Node", document["paths"]).items():
        if isinstance(item, dict):
            found += [(m, path, item.get("parameters"), cast("Node", item[m])) for m in METHODS if isinstance(item.get(m), dict)]
    return found


def base_url(document: Node, given: str | None) -> str:
    """Return the address that paths are below: the one given, else the document's first server, its variables at their defaults.

    Raises:
        InvalidDefinition: there is no full address, or one with a query.
    """
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else None
    url = given or (str(first.get("url", "")) if isinstance(first, dict) else "")
    if isinstance(first, dict) and not given:
        variables = first.get("variables")
        for name, variable in variables.items() if isinstance(variables, dict) else ():
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")) if isinstance(variable, dict) else "")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidDefinition(
            f"the document names no full address ({url or 'none'}): give one with base_url, such as https://api.example.com/v1",
            where="/servers/0/url",
        )
    if parts.query or parts.fragment or "{" in url:
        raise InvalidDefinition(f"the base address {url} may have no query, fragment or {{variable}}", where="/servers/0/url")
    return url.rstrip("/")


def title_of(document: Node) -> str:
    """Return the document's title, '' without one."""
    info = document.get("info")
    return str(info.get("title") or "") if isinstance(info, dict) else ""


def word(text: str) -> str:
    """Return a text as one part of a tool's name: lower case, words by underscores, a letter first; '' where nothing is left."""
    return re.sub(r"^[^a-z]+", "", plain_name(text))[:NAME_CHARS_MAX]


def operation_name(method: str, path: str, operation: Node) -> str:
    """Return the last part of a tool's name: its operationId, else the method and the fixed words of its path."""
    told = word(str(operation.get("operationId") or ""))
    return told or word(f"{method}_{re.sub(r'[{}]', '', path)}") or method
