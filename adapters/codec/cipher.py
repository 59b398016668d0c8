"""Seals bytes for one tenant and one place, and makes the keys of data subjects. Does no I/O; `framing` says how the bytes look.

Each place of a tenant (a conversation, a table) has its own AES key, derived from the tenant's data key. Random nonces limit one key
to about 2³² messages (NIST SP 800-38D §8.3); so the limit counts per place, not per tenant. A data subject's key is random and seals
what its runs store; it is kept only wrapped, sealed for the tenant, so that destroying that one value loses all of it.
"""

import secrets
import threading
from collections import OrderedDict

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.codec.data_keys import KEY_BYTES, DataKeys, DerivedDataKeys, derive_key
from adapters.codec.framing import COMPRESS_FROM_BYTES, PLAIN_BYTES_MAX, open_frame, read_header, seal_frame
from domain.errors import ReferenceMissing
from domain.stores import PayloadCipher

__all__ = ["COMPRESS_FROM_BYTES", "PLAIN_BYTES_MAX", "SubjectCipher", "TenantCipher"]

_PLACES_CACHED = 256
"""Keys of places kept derived, 2.7 kB each; deriving one takes 10 µs."""


class TenantCipher:
    """Encrypts what is stored. `keys` is a 32-byte master secret, or another source of data keys. Safe to share between threads."""

    def __init__(self, keys: bytes | DataKeys) -> None:
        self._keys: DataKeys = DerivedDataKeys(keys) if isinstance(keys, bytes) else keys
        self._places: OrderedDict[tuple[str, str, str], AESGCM] = OrderedDict()
        self._lock = threading.Lock()

    def current_key_id(self, tenant: str) -> str:
        """Return the id of the key that seals for the tenant from now on."""
        return self._keys.current(tenant)

    def seal(self, tenant: str, aad: str, plain: bytes) -> bytes:
        """Return the sealed bytes, bound to the tenant and to `aad`, the place they belong to.

        Raises:
            BodyTooLarge: more than 64 MiB.
            ReferenceMissing: the tenant's key is gone.
        """
        key_id = self._keys.current(tenant)
        return seal_frame(self._place(tenant, key_id, aad), key_id, tenant, aad, plain)

    def open(self, tenant: str, aad: str, sealed: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            ReferenceMissing: the key is gone, or the bytes, their tenant or their place changed.
        """
        header = read_header(sealed)
        return open_frame(self._place(tenant, header.key_id, aad), header, tenant, aad, sealed)

    def new_key(self, tenant: str, key_id: str) -> bytes:
        """Return a new random 256-bit key for a data subject, wrapped: sealed under the tenant's key, for this key id alone."""
        wrapping = self._keys.current(tenant)
        aad = _wrapping_place(key_id)
        return seal_frame(self._made(tenant, wrapping, aad), wrapping, tenant, aad, secrets.token_bytes(KEY_BYTES))

    def under(self, tenant: str, key_id: str, wrapped: bytes) -> PayloadCipher:
        """Return the cipher of one data subject.

        Raises:
            ReferenceMissing: the wrapped key was changed, or belongs to another tenant or key id.
        """
        header, aad = read_header(wrapped), _wrapping_place(key_id)
        return SubjectCipher(self, tenant, key_id, open_frame(self._made(tenant, header.key_id, aad), header, tenant, aad, wrapped))

    def _place(self, tenant: str, key_id: str, aad: str) -> AESGCM:
        """Return the AES key of a place; the most recently used stay derived."""
        name = (tenant, key_id, aad)
        with self._lock:
            cached = self._places.get(name)
            if cached is not None:
                self._places.move_to_end(name)
                return cached
        made = self._made(tenant, key_id, aad)
        with self._lock:
            self._places[name] = made
            if len(self._places) > _PLACES_CACHED:
                self._places.popitem(last=False)
        return made

    def _made(self, tenant: str, key_id: str, aad: str) -> AESGCM:
        """Derive the key of a place anew: a data subject's own place is used once per process, and takes no room among the others."""
        return AESGCM(derive_key(self._keys.key(tenant, key_id), "place", aad))


class SubjectCipher:
    """Implements `PayloadCipher` for one data subject; it opens as well what the tenant's key sealed before subjects had keys."""

    def __init__(self, tenants: TenantCipher, tenant: str, key_id: str, key: bytes) -> None:
        self._tenants = tenants
        self._tenant = tenant
        self._key_id = key_id
        self._key = key  # an AESGCM takes 2.7 kB and 2 µs to make: the keys of thousands of waiting runs are remembered, and few used

    def seal(self, tenant: str, aad: str, plain: bytes) -> bytes:
        """Return the bytes sealed under the data subject's key, bound to the tenant and the place.

        Raises:
            BodyTooLarge: more than 64 MiB.
            ReferenceMissing: another tenant's.
        """
        self._refuse_stranger(tenant)
        return seal_frame(AESGCM(self._key), self._key_id, tenant, aad, plain)

    def open(self, tenant: str, aad: str, sealed: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            ReferenceMissing: another key sealed it, or the bytes, their tenant or their place changed.
        """
        self._refuse_stranger(tenant)
        header = read_header(sealed)
        if header.key_id == self._key_id:
            return open_frame(AESGCM(self._key), header, tenant, aad, sealed)
        return self._tenants.open(tenant, aad, sealed)

    def new_key(self, tenant: str, key_id: str) -> bytes:
        """Return a new key, wrapped under the tenant's: keys of subjects never stand on each other."""
        return self._tenants.new_key(tenant, key_id)

    def under(self, tenant: str, key_id: str, wrapped: bytes) -> PayloadCipher:
        """Return the cipher of another data subject.

        Raises:
            ReferenceMissing: as `TenantCipher.under`.
        """
        return self._tenants.under(tenant, key_id, wrapped)

    def _refuse_stranger(self, tenant: str) -> None:
        if tenant != self._tenant:
            raise ReferenceMissing(f"a data subject of tenant {self._tenant!r} has no payloads of tenant {tenant!r}")


def _wrapping_place(key_id: str) -> str:
    return f"subject_keys/{key_id}"
