"""How sealed bytes look, whatever key seals them: zstd, then AES-256-GCM, behind a header that names the key. Does no I/O.

Layout, version 1: `SF`, version (1 byte), flags (1 byte, bit 0: compressed), length of the key id (1 byte), key id (ASCII), nonce
(12 bytes), ciphertext with its 16-byte tag. Everything before the nonce, the tenant and the place are authenticated.
"""

import secrets
import struct
import threading
from typing import NamedTuple

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.codec.data_keys import joined
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


class _Zstd(threading.local):
    """One compressor and decompressor per thread: python-zstandard's objects must not be shared between threads."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=3, write_content_size=True)
        self.decompressor = zstandard.ZstdDecompressor()


_ZSTD = _Zstd()


class Header(NamedTuple):
    """What stands before the nonce; `body_at` is where the nonce starts."""

    compressed: bool
    key_id: str
    body_at: int


def seal_frame(aead: AESGCM, key_id: str, tenant: str, aad: str, plain: bytes) -> bytes:
    """Return the sealed bytes, bound to the key's id, the tenant and the place `aad`.

    Raises:
        BodyTooLarge: more than 64 MiB.
    """
    if len(plain) > PLAIN_BYTES_MAX:
        raise BodyTooLarge(f"{len(plain)} bytes cannot be stored as one payload: at most {PLAIN_BYTES_MAX}")
    compress = len(plain) >= COMPRESS_FROM_BYTES
    header = _FIXED.pack(_MAGIC, _VERSION, _COMPRESSED if compress else 0, len(key_id)) + key_id.encode("ascii")
    nonce = secrets.token_bytes(_NONCE_BYTES)
    body = _ZSTD.compressor.compress(plain) if compress else plain
    return header + nonce + aead.encrypt(nonce, body, header + joined(tenant, aad))


def open_frame(aead: AESGCM, header: Header, tenant: str, aad: str, sealed: bytes) -> bytes:
    """Return the plaintext of sealed bytes whose header was read.

    Raises:
        ReferenceMissing: the bytes, their tenant, their place or their key changed.
    """
    nonce, body = sealed[header.body_at : header.body_at + _NONCE_BYTES], sealed[header.body_at + _NONCE_BYTES :]
    try:
        plain = aead.decrypt(nonce, body, sealed[: header.body_at] + joined(tenant, aad))
    except (InvalidTag, ValueError) as error:
        raise ReferenceMissing(
            f"a payload of tenant {tenant!r} cannot be decrypted: it was changed, or belongs to another place"
        ) from error
    return _decompressed(plain) if header.compressed else plain


def read_header(sealed: bytes) -> Header:
    """Return what stands before the nonce.

    Raises:
        ReferenceMissing: no header of a known version.
    """
    if len(sealed) >= _FIXED.size:
        magic, version, flags, length = _FIXED.unpack_from(sealed)
        body_at = _FIXED.size + length
        key_id = sealed[_FIXED.size : body_at]
        if magic == _MAGIC and version == _VERSION and flags in {0, _COMPRESSED} and key_id.isascii() and len(sealed) > body_at:
            return Header(flags == _COMPRESSED, key_id.decode("ascii"), body_at)
    raise ReferenceMissing("these bytes are not a sealed payload of a known version")


def _decompressed(body: bytes) -> bytes:
    """Undo zstd; the size a frame declares is checked before memory is taken.

    Raises:
        ReferenceMissing: no zstd frame, or one of unknown or too large a size.
    """
    try:
        size = zstandard.frame_content_size(body)
        if 0 <= size <= PLAIN_BYTES_MAX:
            return _ZSTD.decompressor.decompress(body, max_output_size=PLAIN_BYTES_MAX)
    except zstandard.ZstdError as error:
        raise ReferenceMissing("a payload cannot be decompressed") from error
    raise ReferenceMissing(f"a payload would decompress to {size} bytes: at most {PLAIN_BYTES_MAX} are read")
