"""Errors as rows keep them: the code stands in plain text; the detail, which may quote people and outside programs, is sealed."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, cast

from psycopg.types.json import Json

from adapters.postgres.sealing import open_text, seal_text
from adapters.postgres.subject_ciphers import SubjectCiphers
from adapters.postgres.values import storable
from domain.effects import EffectKey
from domain.errors import ReferenceMissing
from domain.stores import PayloadCipher

PLAIN = frozenset({"code", "step", "retryable"})
"""Words of the platform itself, never of an input or an answer."""

ERASED_DETAIL = "(erased)"


def run_error_place(run: str) -> str:
    """Return where a run's error lives."""
    return f"runs/{run}/error"


def effect_error_place(key: EffectKey) -> str:
    """Return where an effect's error lives."""
    return f"effects/{key.run}/{key.step}/{key.visit}/{key.call}/error"


def seal_error(cipher: PayloadCipher, tenant: str, place: str, error: Mapping[str, str] | None) -> Json | None:
    """Return an error as a JSON parameter."""
    if error is None:
        return None
    plain = {name: storable(word) for name, word in error.items() if name in PLAIN}
    hidden = seal_text(cipher, tenant, place, {name: word for name, word in error.items() if name not in PLAIN})
    return Json({**plain, "sealed": b64encode(hidden).decode()})


def is_sealed(stored: Mapping[str, Any] | None) -> bool:  # Any: psycopg's rows are untyped
    """Tell whether a row's error has a sealed part; those that SQL writes itself have none."""
    return stored is not None and "sealed" in stored


async def open_error(
    ciphers: SubjectCiphers, tenant: str, run: str | None, place: str, stored: Mapping[str, Any] | None
) -> dict[str, str] | None:  # Any: psycopg's rows are untyped
    """Return an error as it was; a detail that was erased, or whose bytes changed, is `(erased)`: the code is worth showing alone.

    `run` is None for what belongs to no run.
    """
    if stored is None:
        return None
    plain = {name: word for name, word in stored.items() if name != "sealed"}
    if not is_sealed(stored):
        return plain
    try:
        cipher = ciphers.of_tenant if run is None else await ciphers.of_run(tenant, run)
        hidden = open_text(cipher, tenant, place, b64decode(stored["sealed"]))
    except (ReferenceMissing, binascii.Error):
        return {**plain, "detail": ERASED_DETAIL}
    return {**plain, **cast("dict[str, str]", hidden)}
