"""Puts prompts and JSON Schema files into the definition that names them, and remembers which file each part came from."""

import copy
import posixpath
from dataclasses import dataclass, field

from pydantic import JsonValue

from adapters.definitions.documents import Document, Unreadable, read_json
from domain.definition_keywords import near
from domain.definition_parts import DocPath
from domain.registry import Problem
from domain.versions import is_range, is_version, newest

UNVERSIONED = "1.0.0"
"""The version of a prompt whose file name has none."""
_DATA_KEYS = frozenset({"with", "set", "defaults", "as"})
"""Keys under which people write data of their own, where `schema` and `$ref` mean nothing."""


@dataclass
class Inlined:
    """A definition on its own: `origins` maps the path of an inlined part to its file."""

    document: Document
    value: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    origins: dict[DocPath, str] = field(default_factory=dict[DocPath, str])
    problems: list[Problem] = field(default_factory=list[Problem])


def inline(document: Document, files: dict[str, str]) -> Inlined:
    """Return the definition with its prompts and schema files inside; what cannot be found is a problem."""
    inlined = Inlined(document=document)
    inliner = _Inliner(inlined, files)
    value = inliner.walk(copy.deepcopy(document.value), ())
    inlined.value = value if isinstance(value, dict) else {}
    return inlined


class _Inliner:
    """Walks one definition."""

    def __init__(self, inlined: Inlined, files: dict[str, str]) -> None:
        self.inlined = inlined
        self.files = files
        self.folder = posixpath.dirname(inlined.document.file)

    def walk(self, node: JsonValue, path: DocPath) -> JsonValue:
        """Return the node with every prompt and schema below it inlined."""
        if isinstance(node, list):
            return [self.walk(item, (*path, index)) for index, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        return {key: self._entry(key, value, path) for key, value in node.items()}

    def _entry(self, key: str, value: JsonValue, path: DocPath) -> JsonValue:
        at = (*path, key)
        last = path[-1] if path else None
        if key in _DATA_KEYS or (key == "input" and path) or (key == "output" and not path):
            return value
        if key == "schema" and last in ("input", "config", "output", "form"):
            return self._schema(value, at)
        if key == "instructions" and last == "agent" and isinstance(value, str):
            return self._prompt(value, at)
        return self.walk(value, at)

    def _note(self, path: DocPath, message: str, instead: str = "") -> None:
        mark = self.inlined.document.marks.get(path) or self.inlined.document.marks[()]
        self.inlined.problems.append(
            Problem(file=self.inlined.document.file, line=mark.line, column=mark.column, message=message, instead=instead)
        )

    def _prompt(self, reference: str, path: DocPath) -> JsonValue:
        name, _, wanted = reference.partition("@")
        if any(character in reference for character in " \n"):
            self._note(path, "`instructions` names a prompt; text stands under `text`", "instructions: {text: …}")
            return {"text": reference}
        if wanted and not is_range(wanted):
            self._note(path, f"`{wanted}` is no range of versions", f"{name}@^1")
            return {"text": reference}
        known = self._prompts()
        versions = known.get(name, {})
        best = newest([wanted] if wanted else [], list(versions))
        if best is None:
            found = ", ".join(sorted(versions))
            message = (
                f"no version of the prompt `{name}` lies in `{wanted}`; there is {found}" if versions else f"there is no prompt `{name}`"
            )
            self._note(path, message, near(name, known) if not versions and known else f"a file {self._prompt_file(name)}")
            return {"text": reference}
        self.inlined.origins[(*path, "text")] = versions[best]
        return {"name": name, "version": best, "text": self.files[versions[best]]}

    def _prompt_file(self, name: str) -> str:
        return posixpath.join(self.folder, "prompts", f"{name}.md")

    def _prompts(self) -> dict[str, dict[str, str]]:
        """Return the prompts beside the definition: name → version → file."""
        found: dict[str, dict[str, str]] = {}
        folder = posixpath.join(self.folder, "prompts")
        for file in sorted(self.files):
            if posixpath.dirname(file) == folder and file.endswith(".md"):
                name, _, version = posixpath.basename(file).removesuffix(".md").partition("@")
                if not version or is_version(version):
                    found.setdefault(name, {})[version or UNVERSIONED] = file
        return found

    def _schema(self, value: JsonValue, path: DocPath) -> JsonValue:
        try:
            return self._resolved(value, path, self.folder, whole=True)
        except _Unresolved as error:
            self._note(path, str(error), error.instead)
        except Unreadable as error:
            self.inlined.problems.extend(error.problems)
        return {}

    def _resolved(self, node: JsonValue, path: DocPath, folder: str, *, whole: bool) -> JsonValue:
        """Return a schema written in the definition with the files it refers to; `whole` says that it is the schema's root.

        Raises:
            _Unresolved: a reference leads nowhere.
        """
        if isinstance(node, list):
            return [self._resolved(item, (*path, index), folder, whole=False) for index, item in enumerate(node)]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            if len(node) > 1:
                raise _Unresolved("a `$ref` to a file stands alone", "{allOf: [{$ref: …}], …}")
            self.inlined.origins[path] = self._file_of(reference, folder)
            return self._from_file(reference, folder, (), keep_local=whole)
        return {key: self._resolved(value, (*path, key), folder, whole=False) for key, value in node.items()}

    def _file_of(self, reference: str, folder: str) -> str:
        name = reference.partition("#")[0]
        if "://" in name:
            raise _Unresolved(f"`{name}` lies outside the bundle; nothing is fetched", "a JSON file in the bundle")
        file = posixpath.normpath(posixpath.join(folder, name))
        if file not in self.files:
            raise _Unresolved(
                f"`$ref` names `{name}`, and the bundle has no such file", near(file, (f for f in self.files if f.endswith(".json")))
            )
        return file

    def _from_file(self, reference: str, folder: str, seen: tuple[str, ...], *, keep_local: bool) -> JsonValue:
        file = self._file_of(reference, folder)
        pointer = reference.partition("#")[2]
        here = f"{file}#{pointer}"
        if here in seen:
            raise _Unresolved(f"`{here}` refers to itself; such a schema must be the whole schema, by `$ref` alone")
        root = read_json(file, self.files[file])
        target = root
        for part in pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(target, dict) or name not in target:
                raise _Unresolved(f"`{file}` has nothing at `#{pointer}`")
            target = target[name]
        return self._in_file(target, file, (*seen, here), keep_local=keep_local and not pointer)

    def _in_file(self, node: JsonValue, file: str, seen: tuple[str, ...], *, keep_local: bool) -> JsonValue:
        if isinstance(node, list):
            return [self._in_file(item, file, seen, keep_local=keep_local) for item in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if isinstance(reference, str) and not (reference.startswith("#") and keep_local):
            inside = reference.startswith("#")
            target = f"{posixpath.basename(file)}{reference}" if inside else reference
            return self._from_file(target, posixpath.dirname(file), seen, keep_local=False)
        return {key: self._in_file(value, file, seen, keep_local=keep_local) for key, value in node.items()}


class _Unresolved(Exception):
    """A `$ref` that cannot be followed."""

    def __init__(self, message: str, instead: str = "") -> None:
        super().__init__(message)
        self.instead = instead
