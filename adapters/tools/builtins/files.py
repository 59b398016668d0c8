"""The tools `file.read`, `file.write` and `file.list`: the run's workspace, and no other place."""

import base64
import binascii

from pydantic import JsonValue

from domain.effects import EffectClass
from domain.errors import InvalidInput, NotFound, ToolFailed
from domain.tools import ToolCall, ToolSpec
from domain.workspace import FILE_BYTES_MAX, PATH_CHARS_MAX, Workspace, WorkspaceFile, checked_path

READ_CHARS_MAX = 200_000
_PATH: JsonValue = {"type": "string", "minLength": 1, "maxLength": PATH_CHARS_MAX, "description": "relative, such as notes/claim.txt"}
_FILE: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "size": {"type": "integer"}, "sha256": {"type": "string"}, "written_at": {"type": "string"}},
    "required": ["path", "size", "sha256", "written_at"],
}


class _FileTool:
    """What the three share: the workspace, which a process that calls no tools lacks."""

    def __init__(self, workspace: Workspace | None) -> None:
        self._given = workspace

    @property
    def _workspace(self) -> Workspace:
        if self._given is None:
            raise ToolFailed("this process keeps no workspaces")
        return self._given


class FileRead(_FileTool):
    """`file.read` 1.0.0."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return _spec(
            "file.read",
            "Reads a file of the run's workspace, as text or in base64, from `offset` characters on.",
            {
                "path": _PATH,
                "encoding": {"enum": ["text", "base64"]},
                "offset": {"type": "integer", "minimum": 0},
                "max_chars": {"type": "integer", "minimum": 1, "maximum": READ_CHARS_MAX},
            },
            ["path"],
            {"path": {"type": "string"}, "content": {"type": "string"}, "size": {"type": "integer"}, "truncated": {"type": "boolean"}},
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Read it.

        Raises:
            ToolFailed: there is no such file, or it is no text.
        """
        path = _checked(str(call.arguments["path"]))
        try:
            content = await self._workspace.read(call.tenant, call.run, path)
        except NotFound as error:
            raise ToolFailed(f"there is no file {path} in the workspace; file.list shows what there is", where="/path") from error
        text = base64.b64encode(content).decode() if call.arguments.get("encoding") == "base64" else _text(content, path)
        offset, bound = call.arguments.get("offset"), call.arguments.get("max_chars")
        begin = offset if isinstance(offset, int) else 0
        end = begin + (bound if isinstance(bound, int) else READ_CHARS_MAX)
        return {"path": path, "content": text[begin:end], "size": len(content), "truncated": len(text) > end}


class FileWrite(_FileTool):
    """`file.write` 1.0.0; the workspace is the run's own, so nothing outside changes."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return _spec(
            "file.write",
            f"Writes a file of the run's workspace; one of that path is replaced. At most {FILE_BYTES_MAX} bytes.",
            {
                "path": _PATH,
                "content": {"type": "string", "maxLength": FILE_BYTES_MAX * 4 // 3 + 4},
                "encoding": {"enum": ["text", "base64"]},
            },
            ["path", "content"],
            {"file": _FILE},
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Write it.

        Raises:
            ToolFailed: the path leads out, the file is too large, or the workspace full.
        """
        path, content = _checked(str(call.arguments["path"])), str(call.arguments["content"])
        try:
            given = base64.b64decode(content, validate=True) if call.arguments.get("encoding") == "base64" else content.encode()
        except (binascii.Error, UnicodeEncodeError) as error:
            raise ToolFailed("the content is not what its encoding says", where="/content") from error
        if len(given) > FILE_BYTES_MAX:
            raise ToolFailed(f"the file has {len(given)} bytes, and at most {FILE_BYTES_MAX} fit", where="/content")
        try:
            written = await self._workspace.write(call.tenant, call.run, path, given)
        except InvalidInput as error:
            raise ToolFailed(error.detail, where=error.where) from error
        return {"file": written.model_dump(mode="json")}


class FileList(_FileTool):
    """`file.list` 1.0.0."""

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return _spec(
            "file.list",
            "Lists the files of the run's workspace, or of one of its folders.",
            {"folder": {"type": "string", "maxLength": PATH_CHARS_MAX}},
            [],
            {"files": {"type": "array", "items": _FILE}},
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """List them.

        Raises:
            ToolFailed: the path leads out.
        """
        try:
            folder = checked_path(str(call.arguments.get("folder") or ""), folder=True)
        except InvalidInput as error:
            raise ToolFailed(error.detail, where="/folder") from error
        files: list[WorkspaceFile] = await self._workspace.list(call.tenant, call.run, folder)
        return {"files": [file.model_dump(mode="json") for file in files]}


def _spec(
    name: str, description: str, properties: dict[str, JsonValue], required: list[JsonValue], output: dict[str, JsonValue]
) -> ToolSpec:
    return ToolSpec(
        name=name,
        version="1.0.0",
        description=description,
        input_schema={"type": "object", "properties": properties, "required": required, "additionalProperties": False},
        output_schema={"type": "object", "properties": output, "required": list(output), "additionalProperties": False},
        effect_class=EffectClass.NONE,
        timeout_s=30.0,
        docs="docs/tools-builtin.md#files",
    )


def _checked(path: str) -> str:
    try:
        return checked_path(path)
    except InvalidInput as error:
        raise ToolFailed(error.detail, where=error.where) from error


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ToolFailed(f"the file {path} is no UTF-8 text: read it with encoding base64", where="/encoding") from error
