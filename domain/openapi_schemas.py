"""References and schemas of an OpenAPI document: what a `$ref` names, and the JSON Schema 2020-12 that a schema object stands for. Pure.

Nothing is fetched: a reference leads to a place in the document. A schema keeps references to others, and takes those along in `$defs`,
so that recursive ones stay what they are.
"""

from typing import Final, cast

from pydantic import JsonValue

Node = dict[str, JsonValue]

LEFT_OUT: Final = frozenset(
    {"example", "examples", "xml", "externalDocs", "discriminator", "deprecated", "readOnly", "writeOnly", "nullable"}
)
"""Members of a schema object that say nothing about which values fit, or that are said otherwise in JSON Schema."""
REFERENCES_MAX: Final = 32
DEPTH_MAX: Final = 64


class Unsupported(Exception):
    """A part of the document that no tool can be made of; the text says why."""


class References:
    """The places that references of one document name."""

    def __init__(self, document: Node) -> None:
        self._document = document

    def follow(self, node: JsonValue) -> Node:
        """Return the object itself, through as many references as there are.

        Raises:
            Unsupported: a reference leads nowhere, out of the document, or in a circle.
        """
        for _ in range(REFERENCES_MAX):
            if not isinstance(node, dict):
                raise Unsupported("an object is expected where there is none")
            reference = node.get("$ref")
            if not isinstance(reference, str):
                return node
            node = self.at(reference)
        raise Unsupported("its references lead in a circle")

    def at(self, reference: str) -> JsonValue:
        """Return what a reference names.

        Raises:
            Unsupported: it lies in another document, or there is nothing.
        """
        if not reference.startswith("#/"):
            raise Unsupported(f"{reference[:80]} lies outside the document: bundle the document into one file first")
        node: JsonValue = self._document
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~").replace("%7B", "{").replace("%7D", "}")
            if not isinstance(node, dict) or key not in node:
                raise Unsupported(f"{reference[:80]} names nothing in the document")
            node = node[key]
        return node


class SchemaWriter:
    """Writes schema objects of one tool as JSON Schema; `definitions` are those that were referred to."""

    def __init__(self, references: References) -> None:
        self._references = references
        self._names: dict[str, str] = {}
        self.definitions: Node = {}

    def write(self, node: JsonValue, depth: int = 0) -> JsonValue:
        """Return a schema as JSON Schema 2020-12.

        Raises:
            Unsupported: it is nested too deeply, or refers to nothing.
        """
        if depth > DEPTH_MAX:
            raise Unsupported(f"a schema is nested more than {DEPTH_MAX} deep")
        if isinstance(node, list):
            return [self.write(item, depth + 1) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            return {"$ref": f"#/$defs/{self._defined(str(node['$ref']), depth)}"}
        return _nullable(node, {key: self._member(key, value, depth) for key, value in node.items() if self._says(key)})

    def _says(self, key: str) -> bool:
        return key not in LEFT_OUT and not key.startswith("x-")

    def _member(self, key: str, value: JsonValue, depth: int) -> JsonValue:
        if key in ("enum", "const", "default", "required"):
            return value
        if key in ("properties", "patternProperties", "dependentSchemas", "$defs") and isinstance(value, dict):
            return {name: self.write(child, depth + 1) for name, child in value.items()}
        return self.write(value, depth + 1)

    def _defined(self, reference: str, depth: int) -> str:
        name = self._names.get(reference)
        if name is None:
            stem = "".join(letter if letter.isalnum() else "_" for letter in reference.rsplit("/", 1)[-1]) or "schema"
            name = stem if stem not in self.definitions else f"{stem}_{len(self.definitions)}"
            self._names[reference] = name
            self.definitions[name] = True  # stands until it is written: it may refer to itself
            self.definitions[name] = self.write(self._references.at(reference), depth + 1)
        return name


def _nullable(given: Node, written: Node) -> Node:
    """Say in JSON Schema what OpenAPI 3.0 says by members of its own: `nullable`, and exclusive bounds as booleans."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(written.get(exclusive), bool) and written.pop(exclusive) and bound in written:
            written[exclusive] = written.pop(bound)
    if given.get("nullable") is True:
        kind = written.get("type")
        if isinstance(kind, str):
            written["type"] = [kind, "null"]
            if isinstance(written.get("enum"), list) and None not in cast("list[JsonValue]", written["enum"]):
                written["enum"] = [*cast("list[JsonValue]", written["enum"]), None]
        else:
            return {"anyOf": [written, {"type": "null"}]}
    return written
