"""Seals bytes for one tenant and one place: zstd, then AES-256-GCM. Does no I/O.

Layout of sealed bytes, version 1: `SF`, version (1 byte), flags (1 byte, bit 0: compressed), length of the key id (1 byte), key id
(ASCII), nonce (12 bytes), ciphertext with its 16-byte tag. Everything before the nonce, the tenant and the place are authenticated.

Each place (a run, a conversation, a table) has its own AES key, derived from the tenant's data key. Random nonces limit one key to
about 2³² messages (NIST SP 800-38D §8.3); so the limit counts per place, not per tenant.
"""

import secrets
import struct
import threading
from collections import OrderedDict

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.codec.data_keys import DataKeys, DerivedDataKeys, derive_key, joined
from domain.errors import BodyTooLarge, ReferenceMissing

PLAIN_BYTES_MAX = 64 * 1024 * 1024
"""Largest plaintext sealed or opened: what a small ciphertext may grow to (zstd reaches 1:10⁵)."""

COMPRESS_FROM_BYTES = 256
"""Shorter plaintexts stay as they are: zstd's frame eats the gain."""

_MAGIC = b"SF"
_VERSION = 1
_COMPRESSED = 1
_NONCE_BYTES = 12
_FIXED = struct.Struct(">2sBBB")
_PLACES_CACHED = 8192


class _Zstd(threading.local):
    """One compressor and decompressor per thread: python-zstandard's objects must not be shared between threads."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=3, write_content_size=True)
        self.decompressor = zstandard.ZstdDecompressor()


class TenantCipher:
    """Encrypts what is stored. `keys` is a 32-byte master secret, or another source of data keys. Safe to share between threads."""

    def __init__(self, keys: bytes | DataKeys) -> None:
        self._keys: DataKeys = DerivedDataKeys(keys) if isinstance(keys, bytes) else keys
        self._zstd = _Zstd()
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
        if len(plain) > PLAIN_BYTES_MAX:
            raise BodyTooLarge(f"{len(plain)} bytes cannot be stored as one payload: at most {PLAIN_BYTES_MAX}")
        compress = len(plain) >= COMPRESS_FROM_BYTES
        key_id = self._keys.current(tenant)
        header = _FIXED.pack(_MAGIC, _VERSION, _COMPRESSED if compress else 0, len(key_id)) + key_id.encode("ascii")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        body = self._zstd.compressor.compress(plain) if compress else plain
        return header + nonce + self._place(tenant, key_id, aad).encrypt(nonce, body, header + joined(tenant, aad))

    def open(self, tenant: str, aad: str, sealed: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            ReferenceMissing: the key is gone, or the bytes, their tenant or their place changed.
        """
        compressed, key_id, body_at = _read_header(sealed)
        place = self._place(tenant, key_id, aad)
        nonce, body = sealed[body_at : body_at + _NONCE_BYTES], sealed[body_at + _NONCE_BYTES :]
        try:
            plain = place.decrypt(nonce, body, sealed[:body_at] + joined(tenant, aad))
        except (InvalidTag, ValueError) as error:
            raise ReferenceMissing(
                f"a payload of tenant {tenant!r} cannot be decrypted: it was changed, or belongs to another place"
            ) from error
        return self._decompressed(plain) if compressed else plain

    def _decompressed(self, body: bytes) -> bytes:
        """Undo zstd; the size a frame declares is checked before memory is taken.

        Raises:
            ReferenceMissing: no zstd frame, or one of unknown or too large a size.
        """
        try:
            size = zstandard.frame_content_size(body)
            if 0 <= size <= PLAIN_BYTES_MAX:
                return self._zstd.decompressor.decompress(body, max_output_size=PLAIN_BYTES_MAX)
        except zstandard.ZstdError as error:
            raise ReferenceMissing("a payload cannot be decompressed") from error
        raise ReferenceMissing(f"a payload would decompress to {size} bytes: at most {PLAIN_BYTES_MAX} are read")

    def _place(self, tenant: str, key_id: str, aad: str) -> AESGCM:
        """Return the AES key of a place; the most recently used stay derived."""
        name = (tenant, key_id, aad)
        with self._lock:
            cached = self._places.get(name)
            if cached is not None:
                self._places.move_to_end(name)
                return cached
        made = AESGCM(derive_key(self._keys.key(tenant, key_id), "place", aad))
        with self._lock:
            self._places[name] = made
            if len(self._places) > _PLACES_CACHED:
                self._places.popitem(last=False)
        return made


def _read_header(sealed: bytes) -> tuple[bool, str, int]:
    """Return (compressed, key id, where the nonce starts).

    Raises:
        ReferenceMissing: no header of a known version.
    """
    if len(sealed) >= _FIXED.size:
        magic, version, flags, length = _FIXED.unpack_from(sealed)
        body_at = _FIXED.size + length
        key_id = sealed[_FIXED.size : body_at]
        if magic == _MAGIC and version == _VERSION and flags in {0, _COMPRESSED} and key_id.isascii() and len(sealed) > body_at:
            return flags == _COMPRESSED, key_id.decode("ascii"), body_at
    raise ReferenceMissing("these bytes are not a sealed payload of a known version")
