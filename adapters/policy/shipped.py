"""The policy sets that come with the platform: one file per version, never changed once released."""

from functools import cache
from pathlib import Path
from typing import Final

from domain.versions import newest

SETS: Final = Path(__file__).parent / "sets"
SCHEMA: Final = Path(__file__).parent / "schema.cedarschema"


class ShippedSets:
    """A `ShippedPolicies` over the files beside this module."""

    @property
    def newest(self) -> str:
        """The version that tenants without a set of their own have."""
        return newest([], list(_texts())) or ""

    def text(self, version: str) -> str | None:
        """Return a shipped set's text, None if there is none such."""
        return _texts().get(version)


@cache
def _texts() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(SETS.glob("*.cedar"))}


@cache
def schema_text() -> str:
    """Return the schema of everything that a policy may speak of."""
    return SCHEMA.read_text(encoding="utf-8")
