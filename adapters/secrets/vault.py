"""Vault's KV store, version 2, through hvac: blocking, so it is called in a thread. Imports hvac; load it late."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import hvac
from hvac.exceptions import Forbidden, InvalidPath, VaultError

from domain.errors import Unavailable

TIMEOUT_S = 5.0


class HvacReader:
    """Implements `VaultReader`.

    Args:
        url: Vault's address.
        token: Gives the token of the moment; an agent may renew the file it comes from.
        namespace: Vault Enterprise's namespace, or None.
    """

    def __init__(self, url: str, *, token: Callable[[], str], namespace: str | None = None) -> None:
        self._url = url
        self._token = token
        self._namespace = namespace

    def read(self, mount: str, path: str, key: str) -> str:
        """Return the newest version's value of a key.

        Raises:
            LookupError: there is none, or Vault's policy forbids it.
            Unavailable: Vault does not answer, or is sealed.
        """
        place = f"vault:{mount}/{path}#{key}"
        client = hvac.Client(url=self._url, token=self._token(), namespace=self._namespace, timeout=int(TIMEOUT_S), allow_redirects=False)
        try:
            answer = cast(
                "dict[str, dict[str, dict[str, object]]]",
                client.secrets.kv.v2.read_secret_version(  # pyright: ignore[reportUnknownMemberType] - hvac has no types
                    path=path, mount_point=mount, raise_on_deleted_version=True
                ),
            )
        except (InvalidPath, Forbidden) as error:
            raise LookupError(f"{place} is not there, or Vault's policy forbids it") from error
        except (VaultError, OSError) as error:  # OSError: what the library under hvac raises for connections
            raise Unavailable(f"Vault does not answer for {place}: {type(error).__name__}") from error
        value = answer["data"]["data"].get(key)
        if isinstance(value, str):
            return value
        raise LookupError(f"{place} is no text")


def token_of(text: str | None, file: Path | None) -> Callable[[], str]:
    """Return what gives the token: a file is read anew each time, since Vault's agent renews it.

    The function raises LookupError when neither is there.
    """

    def token() -> str:
        if file is not None:
            try:
                return file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise LookupError(f"the token file of Vault cannot be read: {type(error).__name__}") from error
        if text is None:
            raise LookupError("Vault needs STANDFAST_VAULT_TOKEN or STANDFAST_VAULT_TOKEN_FILE")
        return text

    return token
