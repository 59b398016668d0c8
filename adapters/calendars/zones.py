"""Zones of the pinned `tzdata` package: the same rules on every machine, whatever its operating system has installed."""

from datetime import tzinfo
from difflib import get_close_matches
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo

from domain.errors import InvalidInput

_PACKAGE = "tzdata"
_EXAMPLE = ": write it as the IANA database does, for example Europe/Berlin or UTC"


class PinnedZones:
    """Implements `Zones`; each zone is read once."""

    def __init__(self) -> None:
        self._read: dict[str, tzinfo] = {}

    @property
    def edition(self) -> str:
        """The edition of the database, such as `2026a`."""
        first, _, _ = self._root.joinpath("tzdata.zi").read_text(encoding="utf-8").partition("\n")
        return first.removeprefix("# version ").strip()

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all zones."""
        return frozenset(files(_PACKAGE).joinpath("zones").read_text(encoding="utf-8").split())

    def zone(self, name: str) -> tzinfo:
        """Return a zone by its IANA name.

        Raises:
            InvalidInput: there is none of that name; names that are close are said.
        """
        if name not in self._read:
            if name not in self.names:
                close = get_close_matches(name, self.names, n=3, cutoff=0.6)
                raise InvalidInput(f"there is no time zone {name[:64]!r}" + (f": did you mean {', '.join(close)}?" if close else _EXAMPLE))
            with self._root.joinpath(*name.split("/")).open("rb") as data:
                self._read[name] = ZoneInfo.from_file(data, key=name)
        return self._read[name]

    @property
    def _root(self) -> Traversable:
        return files(_PACKAGE).joinpath("zoneinfo")
