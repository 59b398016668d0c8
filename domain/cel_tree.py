"""The checked syntax tree of a CEL expression, read from the engine's serialized form, and the guard spliced into it. Pure.

The engine serializes a compiled expression as `cel.expr.CheckedExpr` (field numbers: cel-spec, proto/cel/expr/checked.proto and
syntax.proto) inside a `google.protobuf.Any`. This module reads the few fields it needs from the wire form, so that the domain
needs no protobuf library, and can rewrite a comprehension's range. Separate from `domain/cel.py`, which alone knows the engine.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Field = tuple[int, int | bytes]
Kind = Literal["const", "ident", "select", "call", "list", "struct", "comprehension", "other"]

# Field numbers of CheckedExpr, SourceInfo and Expr.
_REFERENCES, _TYPES, _EXPR, _SOURCE = 2, 3, 4, 5
_POSITIONS = 4
_ID = 2
_KINDS: dict[int, Kind] = {
    3: "const",
    4: "ident",
    5: "select",
    6: "call",
    7: "list",
    8: "struct",
    9: "comprehension",
}
_MAP_TYPE, _LIST_TYPE = 7, 6
_RANGE = 2


@dataclass(frozen=True)
class Node:
    """One expression node.

    `name` is the identifier, the selected field, the function, or the text of a string constant; `operands` are the parts in the
    order of the tree (a call's target first; a comprehension's range first). `offset` counts code points from 0.
    """

    kind: Kind
    id: int
    offset: int
    name: str = ""
    operands: tuple["Node", ...] = ()
    is_string: bool = False
    test_only: bool = False
    has_target: bool = False
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tree:
    """A checked expression: its root, and the type of each node as far as iteration cares (`list`, `map` or ``)."""

    root: Node
    types: dict[int, str]

    def nodes(self) -> Iterator[Node]:
        """Yield every node, parents first."""
        stack = [self.root]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.operands))


def read_tree(serialized: bytes) -> Tree:
    """Return the tree of an expression the engine serialized."""
    checked = _fields(_checked(serialized))
    positions: dict[int, int] = {}
    types: dict[int, str] = {}
    for number, value in checked:
        if number == _SOURCE:
            positions = dict(_map_entry(entry) for key, entry in _fields(_bytes(value)) if key == _POSITIONS)
        elif number == _TYPES:
            entry = dict(_fields(_bytes(value)))
            kinds = {key for key, _ in _fields(_bytes(entry.get(2, b"")))}
            types[_int(entry.get(1, 0))] = "map" if _MAP_TYPE in kinds else "list" if _LIST_TYPE in kinds else ""
    root = next(_bytes(value) for number, value in checked if number == _EXPR)
    return Tree(root=_node(root, positions), types=types)


@dataclass(frozen=True)
class Chain:
    """A chain of selections on a root name, such as `steps.review.output`, up to the first index that is no constant name."""

    root: str
    path: tuple[str, ...]
    offset: int


def read_chains(tree: Tree, roots: tuple[str, ...]) -> list[Chain]:
    """Return every chain on one of `roots`, in the order of the tree."""
    found: list[Chain] = []
    _collect(tree.root, roots, found)
    return found


def _collect(node: Node, roots: tuple[str, ...], found: list[Chain]) -> None:
    path: list[str] = []
    inner = node
    while (name := _selected(inner)) is not None:
        path.append(name)
        inner = inner.operands[0]
    if inner.kind == "ident" and inner.name in roots:
        found.append(Chain(inner.name, tuple(reversed(path)), inner.offset))
        return
    for operand in inner.operands:
        _collect(operand, roots, found)


def _selected(node: Node) -> str | None:
    if node.kind == "select":
        return node.name
    if node.kind == "call" and node.name == "_[_]" and node.operands[1].is_string:
        # A name with a dot would not survive in a dotted path: the whole map is read then.
        return node.operands[1].name if "." not in node.operands[1].name else None
    return None


def guard_ranges(serialized: bytes) -> bytes:
    """Return the expression with `+ []` after every comprehension range whose type is unknown until it runs.

    A list stays as it is; a map has no such operator, so that iterating over one becomes an error value: its order differs from
    process to process (JOURNAL §10).
    """
    tree = read_tree(serialized)
    types, fresh = tree.types, max([*tree.types, *(node.id for node in tree.nodes())], default=0) + 1
    added: list[int] = []

    def guarded(range_: bytes) -> bytes:
        if types.get(_int(dict(_fields(range_)).get(_ID, 0))):
            return range_
        identifier = fresh + 2 * len(added)
        added.append(identifier)
        empty = _join([(_ID, identifier + 1), (7, b"")])
        call = _join([(2, b"_+_"), (3, range_), (3, empty)])
        return _join([(_ID, identifier), (6, call)])

    fields = [(number, _rewrite(_bytes(value), guarded) if number == _EXPR else value) for number, value in _fields(_checked(serialized))]
    references: list[Field] = [(_REFERENCES, _join([(1, identifier), (2, _join([(3, b"add_list")]))])) for identifier in added]
    wrapper: list[Field] = [(number, _join(references + fields) if number == 2 else value) for number, value in _fields(serialized)]
    return _join(wrapper)


def _checked(serialized: bytes) -> bytes:
    return _bytes(dict(_fields(serialized))[2])


def _node(data: bytes, positions: dict[int, int]) -> Node:
    fields = _fields(data)
    identifier = next((_int(value) for number, value in fields if number == _ID), 0)
    offset = positions.get(identifier, 0)
    for number, value in fields:
        kind = _KINDS.get(number)
        if kind is not None:
            return _typed_node(kind, identifier, offset, _fields(_bytes(value)), positions)
    return Node(kind="other", id=identifier, offset=offset)


def _typed_node(
    kind: Kind,
    identifier: int,
    offset: int,
    parts: list[Field],
    positions: dict[int, int],
) -> Node:
    def children(*numbers: int) -> tuple[Node, ...]:
        return tuple(_node(_bytes(value), positions) for wanted in numbers for number, value in parts if number == wanted)

    def text(wanted: int) -> str:
        return next((_bytes(value).decode() for number, value in parts if number == wanted), "")

    match kind:
        case "const":
            is_string = any(number == 6 for number, _ in parts)
            return Node(kind, identifier, offset, name=text(6), is_string=is_string)
        case "ident":
            return Node(kind, identifier, offset, name=text(1))
        case "select":
            return Node(
                kind,
                identifier,
                offset,
                name=text(2),
                operands=children(1),
                test_only=any(number == 3 for number, _ in parts),
            )
        case "call":
            has_target = any(number == 1 for number, _ in parts)
            return Node(
                kind,
                identifier,
                offset,
                name=text(2),
                operands=children(1, 3),
                has_target=has_target,
            )
        case "list":
            return Node(kind, identifier, offset, operands=children(1))
        case "struct":
            entries = [_fields(_bytes(value)) for number, value in parts if number == 2]
            inner = tuple(_node(_bytes(value), positions) for entry in entries for number, value in entry if number in (3, 4))
            return Node(kind, identifier, offset, operands=inner)
        case _:
            variables = tuple(name for name in (text(1), text(8), text(3)) if name)
            return Node(
                kind,
                identifier,
                offset,
                operands=children(2, 4, 5, 6, 7),
                variables=variables,
            )


# Fields that hold an Expr, by the kind of node they stand in.
_CHILDREN = {5: (1,), 6: (1, 3), 7: (1,), 9: (2, 4, 5, 6, 7)}


def _rewrite(expr: bytes, guarded: Callable[[bytes], bytes]) -> bytes:
    return _join([(number, _rewrite_part(number, value, guarded)) for number, value in _fields(expr)])


def _rewrite_part(kind: int, value: int | bytes, guarded: Callable[[bytes], bytes]) -> int | bytes:
    if isinstance(value, int) or kind not in (*_CHILDREN, 8):
        return value
    parts: list[Field] = []
    for number, part in _fields(value):
        if kind == 8 and number == 2:
            entry = [(key, _rewrite(_bytes(item), guarded) if key in (3, 4) else item) for key, item in _fields(_bytes(part))]
            parts.append((number, _join(entry)))
        elif number in _CHILDREN.get(kind, ()) and isinstance(part, bytes):
            rewritten = _rewrite(part, guarded)
            parts.append(
                (
                    number,
                    guarded(rewritten) if kind == 9 and number == _RANGE else rewritten,
                )
            )
        else:
            parts.append((number, part))
    return _join(parts)


def _fields(data: bytes) -> list[Field]:
    found: list[Field] = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            found.append((number, value))
        elif wire == 1:
            # A double constant: kept as 8 bytes, marked by a negative field number for `_join`.
            found.append((-number, data[at : at + 8]))
            at += 8
        else:
            size, at = _varint(data, at)
            found.append((number, data[at : at + size]))
            at += size
    return found


def _join(fields: list[Field]) -> bytes:
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += _encoded(number << 3) + _encoded(value)
        elif number < 0:
            out += _encoded(-number << 3 | 1) + value
        else:
            out += _encoded(number << 3 | 2) + _encoded(len(value)) + value
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _map_entry(entry: int | bytes) -> tuple[int, int]:
    parts = dict(_fields(_bytes(entry)))
    return _int(parts.get(1, 0)), _int(parts.get(2, 0))


def _bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""


def _int(value: int | bytes) -> int:
    return value if isinstance(value, int) else 0
