"""The tool `shell.run`: commands in a sandbox, never on the worker's own machine."""

from pydantic import JsonValue

from domain.effects import EffectClass, RetryClass
from domain.errors import ToolFailed, ToolUnavailable
from domain.sandbox import Sandbox, SandboxProfile
from domain.tools import ToolCall, ToolSpec

DEFAULT_PROFILE = "python-full"
"""A sandbox that has a shell; without network."""
COMMAND_CHARS_MAX = 16_384
FILES_MAX = 20
STDIN_BYTES_MAX = 1024 * 1024


class ShellRun:
    """`shell.run` 1.0.0 under one profile; the command is text for `sh -c` inside the sandbox."""

    def __init__(self, sandbox: Sandbox, profile: SandboxProfile) -> None:
        self._sandbox = sandbox
        self._profile = profile

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares; with a network it may change the world, and no untrusted source says how."""
        network = self._profile.network == "allow"
        reach = f"that reaches {', '.join(self._profile.egress)} and nothing else" if network else "without network"
        return ToolSpec(
            name="shell.run",
            version="1.0.0",
            description=(
                f"Runs a shell command in an empty sandbox {reach}. Give files as a map of names to texts, which lie in the "
                "working folder. `ended` says how it ended: exit, timeout, memory, output or error."
            ),
            input_schema={
                "type": "object",
                "properties": {
                    "command": {"type": "string", "minLength": 1, "maxLength": COMMAND_CHARS_MAX},
                    "stdin": {"type": "string", "maxLength": STDIN_BYTES_MAX},
                    "files": {
                        "type": "object",
                        "maxProperties": FILES_MAX,
                        "propertyNames": {"pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"},
                        "additionalProperties": {"type": "string"},
                    },
                },
                "required": ["command"],
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "properties": {
                    "ended": {"enum": ["exit", "timeout", "memory", "output", "error"]},
                    "exit_code": {"type": "integer"},
                    "stdout": {"type": "string"},
                    "stderr": {"type": "string"},
                    "truncated": {"type": "boolean"},
                },
                "required": ["ended", "exit_code", "stdout", "stderr", "truncated"],
                "additionalProperties": False,
            },
            # What a command sends through a network changes the world.
            effect_class=EffectClass.WRITE if network else EffectClass.NONE,
            retry_class=RetryClass.AT_MOST_ONCE if network else RetryClass.IDEMPOTENT,
            egress=self._profile.egress,
            timeout_s=self._profile.wall_s + 10.0,
            sandbox=self._profile.name,
            sensitive_arguments=("command", "stdin", "files") if network else ("command",),
            docs="docs/tools-builtin.md#shellrun",
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Run the command once.

        Raises:
            ToolFailed: the profile's sandbox has no shell.
            ToolUnavailable: the sandbox itself broke, so another attempt may help.
            SandboxUnavailable: this machine lacks the profile's backend.
        """
        if self._profile.backend in ("monty", "wasm"):
            raise ToolFailed(f"the sandbox profile {self._profile.name} has no shell: name one on bubblewrap or docker for shell.run")
        given = call.arguments.get("files")
        files = {name: str(text).encode() for name, text in given.items()} if isinstance(given, dict) else {}
        command = ["/bin/sh", "-c", str(call.arguments["command"])]
        result = await self._sandbox.run(self._profile, command, files=files, stdin=str(call.arguments.get("stdin") or "").encode())
        if result.ended == "error":
            raise ToolUnavailable(f"the sandbox broke while it ran the command: {result.stderr[:500] or 'no reason given'}")
        return result.model_dump(mode="json", include={"ended", "exit_code", "stdout", "stderr", "truncated"})
