"""The evidence bundle, format `standfast-evidence` version 1, as typed values. Reading checks form only, no hash and no signature."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from standfast_verify.reading import Fields, parsed_file

FORMAT = "standfast-evidence"
VERSION = 1

_BUNDLE = frozenset({"format", "v", "tenant", "run", "exported_at", "entries", "tree_heads", "public_keys", "inclusion", "consistency"})
_ENTRY = frozenset({"run", "seq", "recorded_at_us", "prev_hash", "hash", "body", "leaf_index"})
_HEAD = frozenset({"tenant", "tree_size", "root_hash", "timestamp_us", "key_id", "signature"})
_KEY = frozenset({"key_id", "algorithm", "public_key", "valid_from_us", "valid_to_us"})
_INCLUSION = frozenset({"run", "seq", "leaf_index", "tree_size", "path"})
_CONSISTENCY = frozenset({"from_size", "to_size", "path"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One ledger entry as it is stored; `leaf_index` is None until it is sealed."""

    run: str
    seq: int
    recorded_at_us: int
    prev: bytes
    hash: bytes
    body: bytes
    leaf_index: int | None


@dataclass(frozen=True, slots=True)
class TreeHead:
    """A signed tree head: how many entries the tenant's log had, and the root over them."""

    tenant: str
    tree_size: int
    root: bytes
    timestamp_us: int
    key_id: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 key and the time in which it may sign; `valid_to_us` None means: still."""

    key_id: str
    raw: bytes
    valid_from_us: int
    valid_to_us: int | None

    def own_id(self) -> str:
        """Return the id that these key bytes have."""
        return hashlib.sha256(self.raw).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The way from an entry's leaf to the root of a tree of `tree_size` leaves."""

    run: str
    seq: int
    leaf_index: int
    tree_size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Consistency:
    """The proof that the larger tree begins with the smaller one."""

    from_size: int
    to_size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says; `run` is None when it holds a tenant's whole ledger."""

    tenant: str
    run: str | None
    exported_at: str
    entries: list[Entry]
    tree_heads: list[TreeHead]
    public_keys: list[PublicKey]
    inclusion: list[Inclusion]
    consistency: list[Consistency]


def read_bundle(path: Path) -> Bundle:
    """Read a bundle file.

    Raises:
        BadInput: it is none; the message names the value and what was expected.
    """
    return bundle_of(parsed_file(path))


def bundle_of(value: object) -> Bundle:
    """Make a bundle from parsed JSON.

    Raises:
        BadInput: it is none.
    """
    fields = Fields(value, "", _BUNDLE)
    fields.constant("format", FORMAT)
    fields.constant("v", VERSION)
    return Bundle(
        tenant=fields.text("tenant"),
        run=None if fields.is_null("run") else fields.text("run"),
        exported_at=fields.text("exported_at"),
        entries=fields.list_of("entries", _entry),
        tree_heads=fields.list_of("tree_heads", head_of),
        public_keys=fields.list_of("public_keys", key_of),
        inclusion=fields.list_of("inclusion", _inclusion),
        consistency=fields.list_of("consistency", _consistency),
    )


def _entry(value: object, where: str) -> Entry:
    fields = Fields(value, where, _ENTRY)
    return Entry(
        fields.text("run"),
        fields.number("seq", least=1),
        fields.number("recorded_at_us"),
        fields.hexadecimal("prev_hash", 32),
        fields.hexadecimal("hash", 32),
        fields.base64("body"),
        None if fields.is_null("leaf_index") else fields.number("leaf_index"),
    )


def head_of(value: object, where: str) -> TreeHead:
    """Make a tree head from parsed JSON.

    Raises:
        BadInput: it is none.
    """
    fields = Fields(value, where, _HEAD)
    return TreeHead(
        fields.text("tenant"),
        fields.number("tree_size"),
        fields.hexadecimal("root_hash", 32),
        fields.number("timestamp_us"),
        fields.hexadecimal("key_id", 8).hex(),
        fields.base64("signature", 64),
    )


def key_of(value: object, where: str) -> PublicKey:
    """Make a public key from parsed JSON.

    Raises:
        BadInput: it is none.
    """
    fields = Fields(value, where, _KEY)
    fields.constant("algorithm", "Ed25519")
    return PublicKey(
        fields.hexadecimal("key_id", 8).hex(),
        fields.base64("public_key", 32),
        fields.number("valid_from_us"),
        None if fields.is_null("valid_to_us") else fields.number("valid_to_us"),
    )


def _inclusion(value: object, where: str) -> Inclusion:
    fields = Fields(value, where, _INCLUSION)
    return Inclusion(
        fields.text("run"),
        fields.number("seq", least=1),
        fields.number("leaf_index"),
        fields.number("tree_size", least=1),
        fields.hexadecimals("path", 32),
    )


def _consistency(value: object, where: str) -> Consistency:
    fields = Fields(value, where, _CONSISTENCY)
    return Consistency(fields.number("from_size"), fields.number("to_size"), fields.hexadecimals("path", 32))
