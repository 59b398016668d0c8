"""Who calls: `Authorization: Bearer sf_…` against the key store."""

from domain.errors import Unauthenticated
from domain.principals import Principal, key_hmac, parse_api_key
from domain.stores import KeyStore


class Authentication:
    """Finds the principal of an Authorization header."""

    def __init__(self, keys: KeyStore, pepper: bytes) -> None:
        self._keys = keys
        self._pepper = pepper

    async def principal(self, header: str | None) -> Principal:
        """Return the caller; a malformed key costs no query.

        Raises:
            Unauthenticated: no header, another scheme, or no live key.
        """
        if not header:
            raise Unauthenticated("send an API key: Authorization: Bearer sf_…")
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated(f"the scheme {scheme[:20]!r} is not known here; send Authorization: Bearer sf_…")
        parts = parse_api_key(text.strip())
        found = await self._keys.authenticate(parts.key_id, key_hmac(self._pepper, parts.secret))
        if found is None:
            raise Unauthenticated("this API key is unknown, expired or revoked")
        return found
