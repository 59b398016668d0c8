"""An OpenAPI document (3.0 or 3.1) as http tools: one for each operation that can be one, the reason for each that cannot. Pure.

The classes are the safe ones: GET and HEAD read, everything else writes and is never repeated on its own, unless the operation declares an
Idempotency-Key. Credentials are taken as secrets by name, never as arguments.
"""

import re
from typing import Final, cast

from pydantic import JsonValue, ValidationError

from domain.errors import InvalidDefinition
from domain.http_tool import OWN_HEADERS, STEERING_HEADERS
from domain.model import Value
from domain.openapi_document import NAME_CHARS_MAX, base_url, checked_document, operation_name, operations_of, title_of, word
from domain.openapi_schemas import Node, References, SchemaWriter, Unsupported
from domain.sensitive_names import SENSITIVE_NAMES, URL_NAMES
from domain.tool_registry import ToolDraft, draft_of

OPERATIONS_MAX: Final = 500
DESCRIPTION_CHARS_MAX: Final = 1000


class Skipped(Value):
    """An operation that no tool was made of."""

    operation: str
    reason: str


class Imported(Value):
    """The tools of a document, by name, and what was left out."""

    tools: tuple[ToolDraft, ...]
    skipped: tuple[Skipped, ...] = ()


class ImportOptions(Value):
    """How to import. `prefix` stands before each name; without one it is the document's title. `version` is that of the tools."""

    base_url: str | None = None
    prefix: str | None = None
    version: str = "1.0.0"
    check_answers: bool = False


def import_openapi(document: JsonValue, options: ImportOptions) -> Imported:
    """Return the tools of a document.

    Raises:
        InvalidDefinition: it is no OpenAPI 3 document, has no address, or no operation of it can be a tool; `where` is the place.
    """
    checked = checked_document(document)
    base, prefix = base_url(checked, options.base_url), options.prefix or word(title_of(checked)) or "api"
    tools: dict[str, ToolDraft] = {}
    skipped: list[Skipped] = []
    operations = operations_of(checked)
    if len(operations) > OPERATIONS_MAX:
        raise InvalidDefinition(f"the document has {len(operations)} operations, and at most {OPERATIONS_MAX} are imported", where="/paths")
    for method, path, shared, operation in operations:
        label = f"{method.upper()} {path}"
        name = _free_name(f"{prefix}.{operation_name(method, path, operation)}", tools)
        try:
            tool = _Operation(checked, method, path, operation, shared).declaration(name, base, options)
            tools[name] = draft_of(tool)
        except Unsupported as reason:
            skipped.append(Skipped(operation=label, reason=str(reason)))
        except (InvalidDefinition, ValidationError) as error:
            skipped.append(Skipped(operation=label, reason=error.detail if isinstance(error, InvalidDefinition) else str(error)))
    if not tools:
        reasons = "; ".join(f"{one.operation}: {one.reason}" for one in skipped[:5]) or "it has no operations"
        raise InvalidDefinition(f"no tool can be made of this document: {reasons}", where="/paths")
    return Imported(tools=tuple(tools[name] for name in sorted(tools)), skipped=tuple(skipped))


class _Operation:
    """One operation on its way to a declaration."""

    def __init__(self, document: Node, method: str, path: str, operation: Node, shared: JsonValue) -> None:
        self._document = document
        self._references = References(document)
        self._writer = SchemaWriter(self._references)
        self._method, self._path, self._operation = method, path, operation
        self._properties: Node = {}
        self._required: list[JsonValue] = []
        self._query: dict[str, JsonValue] = {}
        self._headers: dict[str, JsonValue] = {}
        self._key_header: str | None = None
        self._arguments: dict[tuple[str, str], str] = {}
        self._shared = shared

    def declaration(self, name: str, base: str, options: ImportOptions) -> Node:
        """Return the declaration. Raises: Unsupported."""
        for parameter in self._parameters():
            self._take(parameter)
        body = self._body()
        reads = self._method in ("get", "head")
        if self._key_header is None and not reads:
            retry: Node = {"retry_class": "at_most_once", "idempotency_header": ""}
        else:
            retry = {} if self._key_header is None else {"idempotency_header": self._key_header}
        declared: Node = {
            "kind": "http",
            "name": name,
            "version": options.version,
            "description": self._description(),
            "method": self._method.upper(),
            "url": base + self._url_path(),
            "effect_class": "read" if reads else "write",
            **retry,
            "query_arguments": self._query,
            "header_arguments": self._headers,
            "headers": self._credentials(name.split(".", maxsplit=1)[0]),
            **({} if body is None else {"body_argument": body}),
            "ok_statuses": self._ok_statuses(),
            "url_arguments": [argument for argument in self._named() if _is_url(argument, self._schema(argument))],
            "sensitive_arguments": [] if reads else [one for one in self._named() if SENSITIVE_NAMES.search(word(one.rpartition(".")[2]))],
        }
        if body is None and not reads and self._method != "delete":
            declared["body"] = {}  # or the arguments that no parameter took would be sent
        output = self._answer() if options.check_answers else None
        definitions: Node = {"$defs": self._writer.definitions} if self._writer.definitions else {}
        declared["input"] = {
            "type": "object",
            "properties": self._properties,
            "required": self._required,
            "additionalProperties": False,
            **definitions,
        }
        if isinstance(output, dict):
            declared["output"] = {**output, **definitions}
        return declared

    def _parameters(self) -> list[Node]:
        """Return the operation's parameters, which stand before those of its path."""
        found: dict[tuple[str, str], Node] = {}
        for listed in (self._shared, self._operation.get("parameters")):
            for raw in listed if isinstance(listed, list) else []:
                parameter = self._references.follow(raw)
                found[str(parameter.get("in")), str(parameter.get("name"))] = parameter
        return list(found.values())

    def _take(self, parameter: Node) -> None:
        name, place = str(parameter.get("name")), str(parameter.get("in"))
        required = parameter.get("required") is True or place == "path"
        if place == "header" and name.lower() == "idempotency-key":
            self._key_header = name
            return
        problem = self._problem(parameter, name, place)
        if problem is not None:
            if required:
                raise Unsupported(problem)
            return
        argument = self._argument(name, place)
        schema = self._writer.write(parameter.get("schema", {"type": "string"}))
        told = parameter.get("description")
        described: Node = {"description": str(told)[:DESCRIPTION_CHARS_MAX]} if told and isinstance(schema, dict) else {}
        self._properties[argument] = {**described, **schema} if isinstance(schema, dict) else schema
        if required:
            self._required.append(argument)
        if place == "query":
            self._query[name] = argument
        elif place == "header":
            self._headers[name] = argument
        else:
            self._arguments[place, name] = argument

    def _problem(self, parameter: Node, name: str, place: str) -> str | None:
        """Return why a parameter cannot be sent, if so."""
        if place not in ("path", "query", "header"):
            return f"the {place} parameter {name} cannot be sent: tools keep no cookies"
        if "content" in parameter:
            return f"the parameter {name} is itself a document"
        if place == "header" and name.lower() in OWN_HEADERS | STEERING_HEADERS | {"accept"}:
            return f"the header {name} is not an argument's to set"
        kind = self._references.follow(parameter.get("schema", {})).get("type")
        if kind == "object" or parameter.get("style") in ("deepObject", "matrix", "label", "spaceDelimited", "pipeDelimited"):
            return f"the parameter {name} is an object or written in the style {parameter.get('style')}"
        if kind == "array" and (place != "query" or parameter.get("explode") is False):
            return f"the parameter {name} is a list that is not written once for each item"
        return None

    def _argument(self, name: str, place: str) -> str:
        """Return the name of an argument; two parameters of one name are told apart by their place."""
        argument = re.sub(r"[^A-Za-z0-9_]", "_", name)
        argument = argument if re.match(r"[A-Za-z_]", argument) else f"_{argument}"
        return argument if argument not in self._properties else f"{place}_{argument}"

    def _url_path(self) -> str:
        def argument(match: re.Match[str]) -> str:
            known = self._arguments.get(("path", match.group(1)))
            if known is None:
                raise Unsupported(f"the path uses {{{match.group(1)}}}, which is no parameter")
            return f"{{{known}}}"

        return re.sub(r"\{([^{}]*)\}", argument, self._path)

    def _body(self) -> str | None:
        """Return the argument that is the body, if the operation takes one.

        Raises:
            Unsupported: it takes one that is not JSON.
        """
        given = self._operation.get("requestBody")
        if given is None:
            return None
        body = self._references.follow(given)
        content = body.get("content")
        schema = _json_of(cast("Node", content) if isinstance(content, dict) else {})
        if schema is None or self._method in ("get", "head"):
            if body.get("required") is True:
                raise Unsupported("it takes a body that is not JSON")
            return None
        argument = self._argument("body", "request")
        self._properties[argument] = self._writer.write(schema)
        if body.get("required") is True:
            self._required.append(argument)
        return argument

    def _named(self) -> list[str]:
        """Return the arguments by name, with the fields of the body one below the other."""
        names: list[str] = []
        for argument in self._properties:
            fields = self._schema(argument).get("properties")
            names += [argument, *(f"{argument}.{name}" for name in (fields if isinstance(fields, dict) else ()))]
        return names

    def _schema(self, argument: str) -> Node:
        """Return the schema of an argument, or of a field one below it, behind its reference."""
        outer, _, inner = argument.partition(".")
        schema = self._behind(self._properties.get(outer))
        if not inner:
            return schema
        fields = schema.get("properties")
        return self._behind(fields.get(inner) if isinstance(fields, dict) else None)

    def _behind(self, schema: JsonValue) -> Node:
        if not isinstance(schema, dict):
            return {}
        reference = str(schema.get("$ref", ""))
        named = self._writer.definitions.get(reference.removeprefix("#/$defs/")) if reference else schema
        return named if isinstance(named, dict) else {}

    def _description(self) -> str:
        told = [str(self._operation.get(key) or "").strip() for key in ("summary", "description")]
        text = " ".join(part for part in dict.fromkeys(told) if part) or f"{self._method.upper()} {self._path}"
        return text[:DESCRIPTION_CHARS_MAX]

    def _responses(self) -> Node:
        found = self._operation.get("responses")
        return found if isinstance(found, dict) else {}

    def _ok_statuses(self) -> list[JsonValue]:
        told = [int(code) for code in self._responses() if re.fullmatch(r"2\d\d", code)]
        return cast("list[JsonValue]", sorted({200, 201, 202, 204, *told}))

    def _answer(self) -> JsonValue:
        for code in sorted(self._responses()):
            if code.startswith("2"):
                content = self._references.follow(self._responses()[code]).get("content")
                schema = _json_of(content if isinstance(content, dict) else {})
                if schema is not None:
                    return self._writer.write(schema)
        return None

    def _credentials(self, prefix: str) -> Node:
        """Return the headers of the first way to authenticate that headers can carry.

        Raises:
            Unsupported: there is none.
        """
        asked = self._operation.get("security", self._document.get("security"))
        ways = [way for way in asked if isinstance(way, dict)] if isinstance(asked, list) else []
        if not ways or {} in ways:
            return {}
        for way in ways:
            headers = [self._credential(name, prefix) for name in way]
            if all(header is not None for header in headers):
                return {name: value for header in headers if header is not None for name, value in header.items()}
        raise Unsupported("it needs a credential that no header carries")

    def _credential(self, scheme_name: str, prefix: str) -> Node | None:
        components = self._document.get("components")
        schemes = components.get("securitySchemes") if isinstance(components, dict) else None
        scheme = self._references.follow(schemes.get(scheme_name)) if isinstance(schemes, dict) else {}
        secret = f"secret:{word(f'{prefix}_{scheme_name}').upper()}"
        kind, place = scheme.get("type"), scheme.get("in")
        if kind == "apiKey":
            return {str(scheme.get("name")): secret} if place == "header" else None
        if kind == "http" and str(scheme.get("scheme")).lower() == "basic":
            return {"Authorization": f"Basic {secret}"}
        return {"Authorization": f"Bearer {secret}"} if kind in ("http", "oauth2", "openIdConnect") else None


def _free_name(name: str, taken: dict[str, ToolDraft]) -> str:
    name, number = name[:NAME_CHARS_MAX].rstrip("_."), 2
    free = name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _json_of(content: Node) -> JsonValue | None:
    """Return the schema of the JSON among what a body or an answer may be, True where any JSON is."""
    for kind in sorted(content):
        media = kind.split(";")[0].strip().lower()
        if media == "application/json" or media.endswith("+json"):
            given = content[kind]
            return given.get("schema", True) if isinstance(given, dict) else True
    return None


def _is_url(argument: str, schema: Node) -> bool:
    told = schema.get("format") in ("uri", "url", "uri-reference", "iri")
    return told or (schema.get("type", "string") == "string" and URL_NAMES.search(word(argument.rpartition(".")[2])) is not None)
