"""Tools that are a program in a sandbox: a container's command, or a WebAssembly module. Arguments and result are JSON. Pure.

The program reads one JSON object from standard input, `{"arguments": …, "idempotency_key": …, "secrets": …}`, and writes its result as
JSON to standard output. Exit code 0 is success, 75 a passing failure (sysexits.h, EX_TEMPFAIL), any other a failure told by its
standard error.
"""

import base64
import binascii
import hashlib
import re
from typing import Literal, Protocol

from pydantic import Field, JsonValue, model_validator

from domain.effects import EffectClass, RetryClass
from domain.model import Value
from domain.sandbox import EgressHosts
from domain.sensitive_names import sensitive_of
from domain.tools import TOOL_NAME, ToolSpec, Trust

TRY_AGAIN = 75
"""sysexits.h, EX_TEMPFAIL: the program asks to be called once more."""
SHA256 = re.compile(r"^[0-9a-f]{64}\Z")


class SandboxToolDeclaration(Value):
    """What both kinds declare. `sandbox` names the profile whose limits hold; `timeout_s` may shorten its wall time."""

    name: str = Field(pattern=TOOL_NAME)
    version: str = "1.0.0"
    description: str
    input_schema: dict[str, JsonValue] = Field(alias="input")
    output_schema: dict[str, JsonValue] = Field(default={}, alias="output")
    effect_class: EffectClass
    retry_class: RetryClass = RetryClass.IDEMPOTENT
    timeout_s: float = Field(default=30.0, gt=0)
    max_attempts: int = Field(default=5, ge=1)
    sandbox: str
    secrets: tuple[str, ...] = ()
    bindable: tuple[str, ...] = ()
    cost_usd_micros: int = Field(default=0, ge=0)
    url_arguments: tuple[str, ...] = ()
    sensitive_arguments: tuple[str, ...] | None = None
    trust: Trust = "untrusted"
    docs: str = ""

    def spec(self) -> ToolSpec:
        """Return what the platform sees of this tool."""
        shared = self.model_dump(exclude={"timeout_s", "input_schema", "output_schema"})
        known = {name: value for name, value in shared.items() if name in ToolSpec.model_fields}  # `kind` is among them
        # Ten seconds beyond the program's own time: for a queue before the sandbox and for its start.
        known["sensitive_arguments"] = sensitive_of(self.sensitive_arguments, self.effect_class, self.input_schema)
        return ToolSpec(**known, input_schema=self.input_schema, output_schema=self.output_schema, timeout_s=self.timeout_s + 10.0)


class ContainerToolDeclaration(SandboxToolDeclaration):
    """One `container` tool: `image` (by digest in production) replaces the profile's, `command` runs in it.

    `egress` are the hosts it may reach through the proxy; without any it has no network.
    """

    kind: Literal["container"] = "container"
    image: str | None = None
    command: tuple[str, ...] = Field(min_length=1)
    sandbox: str = "container"
    egress: EgressHosts = ()


class WasmToolDeclaration(SandboxToolDeclaration):
    """One `wasm` tool: a WASI module by its SHA-256, inside the declaration as base64 or in the worker's folder of modules."""

    kind: Literal["wasm"] = "wasm"
    module_sha256: str
    module: str | None = None
    arguments: tuple[str, ...] = ()
    sandbox: str = "wasm"

    @model_validator(mode="after")
    def _module_is_the_one_named(self) -> "WasmToolDeclaration":
        """Refuse a module that has another digest than declared.

        Raises:
            ValueError: says what to write.
        """
        if not SHA256.match(self.module_sha256):
            raise ValueError("module_sha256 is 64 hexadecimal digits in lower case, as `sha256sum` prints them")
        if self.module is not None and hashlib.sha256(self.content() or b"").hexdigest() != self.module_sha256:
            raise ValueError("the module is another than module_sha256 names: build it again, or write its own digest")
        return self

    def content(self) -> bytes | None:
        """Return the module that stands in the declaration, or None.

        Raises:
            ValueError: it is no base64.
        """
        if self.module is None:
            return None
        try:
            return base64.b64decode(self.module, validate=True)
        except binascii.Error as error:
            raise ValueError("`module` is the module's bytes as base64") from error


class SandboxGate(Protocol):
    """Judges at registration whether a tool's sandbox can be had."""

    async def require(self, spec: ToolSpec, declaration: dict[str, JsonValue] | None = None) -> None:
        """Let a tool pass whose sandbox is there, or that needs none.

        Raises:
            SandboxUnavailable: its profile is unknown, its backend is missing here, or cannot give what the profile asks; says what to do.
        """
        ...
