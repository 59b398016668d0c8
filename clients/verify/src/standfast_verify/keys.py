"""Who signed: public keys, the time in which each may sign, and the signatures of tree heads."""

from collections.abc import Iterator, Mapping, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from standfast_verify.bundle import PublicKey, TreeHead
from standfast_verify.canonical import canonical_text
from standfast_verify.findings import Problem

HEAD_DOMAIN = b"standfast:tree-head:v1\x00"


def signed_bytes(head: TreeHead) -> bytes:
    """Return what the signature of a tree head covers; the time is a string there."""
    said = {
        "key_id": head.key_id,
        "root_hash": head.root.hex(),
        "tenant": head.tenant,
        "timestamp_us": str(head.timestamp_us),
        "tree_size": head.tree_size,
    }
    return HEAD_DOMAIN + canonical_text(said).encode()


def key_problems(keys: Sequence[PublicKey], trusted: Mapping[str, PublicKey] | None) -> Iterator[Problem]:
    """Yield what is wrong with the keys of a bundle; `trusted` is what the caller brought, None without."""
    seen: set[str] = set()
    for key in keys:
        if key.key_id in seen:
            yield Problem(key_id=key.key_id, reason="it stands twice in the bundle")
        seen.add(key.key_id)
        if key.own_id() != key.key_id:
            reason = "its id is not that of its bytes: the key was swapped"
            yield Problem(key_id=key.key_id, reason=reason, expected=key.own_id(), found=key.key_id)
        if trusted is not None:
            yield from _trust_problems(key, trusted.get(key.key_id))


def _trust_problems(key: PublicKey, trusted: PublicKey | None) -> Iterator[Problem]:
    if trusted is None:
        yield Problem(key_id=key.key_id, reason="it is not among the trusted keys")
        return
    if key.raw != trusted.raw:
        yield Problem(
            key_id=key.key_id, reason="its bytes are not those of the trusted key", expected=trusted.raw.hex(), found=key.raw.hex()
        )
    # A key that was retired after the trusted copy was taken has an end now; nothing else may differ.
    retired = trusted.valid_to_us is None and key.valid_to_us is not None
    if key.valid_from_us != trusted.valid_from_us or (key.valid_to_us != trusted.valid_to_us and not retired):
        reason = "its time of validity is not that of the trusted key"
        yield Problem(key_id=key.key_id, reason=reason, expected=_window(trusted), found=_window(key))


def _window(key: PublicKey) -> str:
    return f"{key.valid_from_us} to {'now' if key.valid_to_us is None else key.valid_to_us} (µs since 1970)"


def effective_keys(keys: Sequence[PublicKey], trusted: Mapping[str, PublicKey] | None) -> dict[str, PublicKey]:
    """Return the keys that signatures are checked with: the trusted ones, with the end that the bundle knows of; else the bundle's."""
    own = {key.key_id: key for key in keys}
    if trusted is None:
        return own
    return {name: _retired(key, own.get(name)) for name, key in trusted.items()}


def _retired(key: PublicKey, told: PublicKey | None) -> PublicKey:
    if key.valid_to_us is not None or told is None:
        return key
    return PublicKey(key.key_id, key.raw, key.valid_from_us, told.valid_to_us)


def signature_problems(head: TreeHead, tenant: str, keys: Mapping[str, PublicKey]) -> Iterator[Problem]:
    """Yield what is wrong with one tree head by itself: whose it is, by which key, when, and the signature."""
    if head.tenant != tenant:
        yield Problem(tree_size=head.tree_size, reason="it is of another tenant", expected=tenant, found=head.tenant)
    key = keys.get(head.key_id)
    if key is None:
        yield Problem(
            tree_size=head.tree_size,
            reason="no key is known with the id that it names",
            expected=" or ".join(keys) or "a key",
            found=head.key_id,
        )
        return
    if head.timestamp_us < key.valid_from_us or (key.valid_to_us is not None and head.timestamp_us > key.valid_to_us):
        reason = f"it was signed when key {key.key_id} was not valid"
        yield Problem(tree_size=head.tree_size, reason=reason, expected=_window(key), found=str(head.timestamp_us))
    if not _is_signed(head, key):
        reason = f"its signature is not that of key {key.key_id} over its size, root, time and tenant: one of them was changed"
        yield Problem(tree_size=head.tree_size, reason=reason)


def _is_signed(head: TreeHead, key: PublicKey) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(head.signature, signed_bytes(head))
    except (InvalidSignature, ValueError):
        return False
    return True
