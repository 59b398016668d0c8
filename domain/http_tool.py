"""Tools that are one declared REST call: the declaration, and how arguments become a request. Pure.

The host is part of the declaration and arguments can never change it: an argument stands either for one path segment (or a part
of one) or for one query value, and is percent-encoded there. Headers take secrets by reference (`secret:NAME`), never arguments.
"""

import re
from typing import Literal, cast
from urllib.parse import quote, urlsplit

from pydantic import Field, JsonValue, field_validator, model_validator

from domain.effects import EffectClass, RetryClass
from domain.errors import ToolFailed
from domain.model import Value
from domain.sensitive_names import sensitive_of
from domain.tools import TOOL_NAME, ToolSpec, Trust

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
SECRET = re.compile(r"secret:([A-Za-z_][A-Za-z0-9_]*)")
HEADER_NAME = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
"""RFC 9110 §5.6.2, token."""
OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-type", "accept-encoding", "upgrade"})
"""Headers that the call itself sets; a declaration that could change them could smuggle a second request."""
STEERING_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "idempotency-key", "user-agent", "forwarded", "via"})
"""Headers that say who calls, or for whom: never what an argument says."""
RESPONSE_BYTES_MAX = 1024 * 1024
"""Default bound of an answer, decompressed."""


class HttpToolDeclaration(Value):
    """One `http` tool as written in YAML.

    `url` is `https://host/path/{argument}?q={argument}`. `body` is JSON in which the text `{argument}` stands for that argument
    with its own type; without it, POST, PUT and PATCH send the arguments that the URL does not use. A header value may hold
    `secret:NAME`. `idempotency_header` carries the effect's outside key; it is set by default when the call changes the world.
    `query_arguments` and `header_arguments` map names on the wire to arguments; one that is not given is left out, and a list stands in the
    query once for each item. `body_argument` is an argument that is the whole body.
    """

    kind: Literal["http"] = "http"
    name: str = Field(pattern=TOOL_NAME)
    version: str = "1.0.0"
    description: str
    method: Method
    url: str
    headers: dict[str, str] = {}
    body: dict[str, JsonValue] | None = None
    query_arguments: dict[str, str] = {}
    header_arguments: dict[str, str] = {}
    body_argument: str | None = None
    input_schema: dict[str, JsonValue] = Field(alias="input")
    output_schema: dict[str, JsonValue] = Field(default={}, alias="output")
    effect_class: EffectClass
    retry_class: RetryClass = RetryClass.IDEMPOTENT
    timeout_s: float = Field(default=30.0, gt=0)
    heartbeat_s: float | None = Field(default=None, gt=0)
    max_attempts: int = Field(default=5, ge=1)
    idempotency_header: str | None = None
    ok_statuses: tuple[int, ...] = (200, 201, 202, 204)
    response_bytes_max: int = Field(default=RESPONSE_BYTES_MAX, gt=0)
    bindable: tuple[str, ...] = ()
    cost_usd_micros: int = Field(default=0, ge=0)
    url_arguments: tuple[str, ...] = ()
    sensitive_arguments: tuple[str, ...] | None = None
    trust: Trust = "untrusted"
    docs: str = ""

    @field_validator("url")
    @classmethod
    def _url_has_a_fixed_host(cls, url: str) -> str:
        """Refuse a URL whose host could vary, that carries a password, or that has a fragment.

        Raises:
            ValueError: with the reason.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"the URL must begin with https:// (or http://), not with {url[:20]!r}")
        if not parts.hostname or "{" in parts.netloc:
            raise ValueError("the URL needs a fixed host: no {argument} may stand in the host or the port")
        if "@" in parts.netloc:
            raise ValueError("write credentials as a header with secret:NAME, not into the URL")
        if parts.fragment or "#" in url:
            raise ValueError("a fragment (#…) is never sent: remove it")
        if "{" in PLACEHOLDER.sub("", url) or "}" in PLACEHOLDER.sub("", url):
            raise ValueError("a brace in the URL opens no {argument}: names are letters, digits and underscores")
        if re.search(r"[\x00-\x20\x7f\\]", url):
            raise ValueError("the URL holds a space, a control character or a backslash: percent-encode it")
        return url

    @field_validator("headers")
    @classmethod
    def _headers_are_plain(cls, headers: dict[str, str]) -> dict[str, str]:
        """Refuse header names and values that could change the request's shape.

        Raises:
            ValueError: with the reason.
        """
        for name, value in headers.items():
            if not HEADER_NAME.match(name):
                raise ValueError(f"{name!r} is no header name")
            if name.lower() in OWN_HEADERS:
                raise ValueError(f"the header {name} is set by the call itself: remove it")
            if re.search(r"[\x00-\x1f\x7f]", value) or not value.isascii():
                raise ValueError(f"the value of the header {name} holds control characters or letters beyond ASCII")
            if PLACEHOLDER.search(value):
                raise ValueError(f"the header {name} takes no {{argument}}: only text and secret:NAME")
        return headers

    @model_validator(mode="after")
    def _arguments_are_declared(self) -> "HttpToolDeclaration":
        """Refuse a placeholder that the input schema does not require.

        Raises:
            ValueError: with the reason.
        """
        required = self.input_schema.get("required", [])
        known = set(cast("list[str]", required)) if isinstance(required, list) else set[str]()
        properties = self.input_schema.get("properties", {})
        declared = set(properties) if isinstance(properties, dict) else set[str]()
        for name in sorted(set(PLACEHOLDER.findall(self.url))):
            if name not in known:
                raise ValueError(f"the URL uses {{{name}}}: name it under `required` and `properties` of the input schema")
        for name in sorted(
            _body_names(self.body) | {*self.query_arguments.values(), *self.header_arguments.values(), *self._body_argument()}
        ):
            if name not in declared:
                raise ValueError(f"the argument {name} is sent, and the input schema does not declare it")
        if self.body is not None and self.body_argument is not None:
            raise ValueError("`body` and `body_argument` both say what the body is: keep one")
        if (self.body is not None or self.body_argument is not None) and self.method in ("GET", "HEAD"):
            raise ValueError(f"{self.method} sends no body: move its values into the URL")
        return self

    @field_validator("header_arguments")
    @classmethod
    def _arguments_steer_no_request(cls, headers: dict[str, str]) -> dict[str, str]:
        """Refuse headers that only the declaration or the call itself may set.

        Raises:
            ValueError: with the reason.
        """
        for name in headers:
            if not HEADER_NAME.match(name) or name.lower() in OWN_HEADERS | STEERING_HEADERS:
                raise ValueError(f"no argument may set the header {name!r}")
        return headers

    def _body_argument(self) -> set[str]:
        return set() if self.body_argument is None else {self.body_argument}

    @property
    def host(self) -> str:
        """The only host this tool speaks to, lower case."""
        return (urlsplit(self.url).hostname or "").lower()

    @property
    def key_header(self) -> str | None:
        """The header that carries the outside key, if any."""
        if self.idempotency_header is not None:
            return self.idempotency_header or None
        return "Idempotency-Key" if self.effect_class.changes_world else None

    def spec(self) -> ToolSpec:
        """Return what the platform sees of this tool."""
        return ToolSpec(
            name=self.name,
            version=self.version,
            description=self.description,
            input_schema=self.input_schema,
            output_schema=self.output_schema,
            effect_class=self.effect_class,
            retry_class=self.retry_class,
            timeout_s=self.timeout_s,
            heartbeat_s=self.heartbeat_s,
            max_attempts=self.max_attempts,
            bindable=self.bindable,
            cost_usd_micros=self.cost_usd_micros,
            kind="http",
            egress=(self.host,),
            secrets=tuple(dict.fromkeys(name for value in self.headers.values() for name in SECRET.findall(value))),
            url_arguments=self.url_arguments,
            sensitive_arguments=sensitive_of(self.sensitive_arguments, self.effect_class, self.input_schema),
            trust=self.trust,
            docs=self.docs,
        )


class RenderedRequest(Value):
    """A request ready to send, but for its secrets."""

    method: Method
    url: str
    body: JsonValue = None
    headers: dict[str, str] = {}


def _body_names(node: JsonValue) -> set[str]:
    """Return the arguments that a body template stands for."""
    if isinstance(node, dict):
        return set[str]().union(*(_body_names(child) for child in node.values()))
    if isinstance(node, list):
        return set[str]().union(*(_body_names(child) for child in node))
    match = PLACEHOLDER.fullmatch(node) if isinstance(node, str) else None
    return {match.group(1)} if match else set()


def _url_text(name: str, value: JsonValue) -> str:
    """Return a scalar as it stands in a URL, percent-encoded in full.

    Raises:
        ToolFailed: an object, an array, null or an empty text.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return quote(str(value), safe="")
    if not isinstance(value, str) or not value:
        raise ToolFailed(f"the argument {name} stands in the URL: it must be a number or a text that is not empty", where=f"/{name}")
    return quote(value, safe="")


def _filled(node: JsonValue, arguments: dict[str, JsonValue]) -> JsonValue:
    """Return the body with each `{argument}` replaced; an object member whose optional argument is absent is left out."""
    if isinstance(node, dict):
        return {key: _filled(child, arguments) for key, child in node.items() if _body_is_given(child, arguments)}
    if isinstance(node, list):
        return [_filled(child, arguments) for child in node if _body_is_given(child, arguments)]
    match = PLACEHOLDER.fullmatch(node) if isinstance(node, str) else None
    return arguments[match.group(1)] if match else node


def _body_is_given(node: JsonValue, arguments: dict[str, JsonValue]) -> bool:
    """Whether `node` is anything but a placeholder of an absent argument."""
    match = PLACEHOLDER.fullmatch(node) if isinstance(node, str) else None
    return match is None or match.group(1) in arguments


def render(declaration: HttpToolDeclaration, arguments: dict[str, JsonValue]) -> RenderedRequest:
    """Return the request for these arguments.

    Raises:
        ToolFailed: an argument is missing, cannot stand in a URL, or makes a path segment `.` or `..`.
    """
    used = set(PLACEHOLDER.findall(declaration.url))
    missing = sorted(used - arguments.keys())
    if missing:
        raise ToolFailed(f"the call of {declaration.name} lacks the argument {missing[0]}", where=f"/{missing[0]}")
    texts = {name: _url_text(name, arguments[name]) for name in used}
    url = _with_query(declaration, PLACEHOLDER.sub(lambda match: texts[match.group(1)], declaration.url), arguments)
    if any(segment in (".", "..") for segment in urlsplit(url).path.split("/")):
        raise ToolFailed(f"the arguments of {declaration.name} make a path segment of dots, which would name another path")
    headers = {name: _header_text(name, arguments[given]) for name, given in declaration.header_arguments.items() if given in arguments}
    used |= {*declaration.query_arguments.values(), *declaration.header_arguments.values()}
    return RenderedRequest(method=declaration.method, url=url, body=_body(declaration, arguments, used), headers=headers)


def _body(declaration: HttpToolDeclaration, arguments: dict[str, JsonValue], used: set[str]) -> JsonValue:
    if declaration.body_argument is not None:
        return arguments.get(declaration.body_argument)
    if declaration.body is not None:
        return _filled(cast("JsonValue", declaration.body), arguments)
    if declaration.method in ("POST", "PUT", "PATCH"):
        return {name: value for name, value in arguments.items() if name not in used}
    return None


def _with_query(declaration: HttpToolDeclaration, url: str, arguments: dict[str, JsonValue]) -> str:
    """Return the URL with the query arguments that were given; a list stands once for each item, null not at all."""
    pairs: list[str] = []
    for name, argument in declaration.query_arguments.items():
        value = arguments.get(argument)
        items = value if isinstance(value, list) else [value]
        pairs += [f"{quote(name, safe='')}={_query_text(argument, item)}" for item in items if item is not None]
    if not pairs:
        return url
    return f"{url}{'&' if '?' in url else '?'}{'&'.join(pairs)}"


def _query_text(name: str, value: JsonValue) -> str:
    return "" if value == "" else _url_text(name, value)


def _header_text(name: str, value: JsonValue) -> str:
    """Return a scalar as it stands in a header.

    Raises:
        ToolFailed: it is no scalar, or holds what no header can carry.
    """
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if isinstance(value, dict | list) or value is None or not text.isascii() or not text.isprintable():
        raise ToolFailed(f"the argument for the header {name} must be a number or printable ASCII text")
    return text
