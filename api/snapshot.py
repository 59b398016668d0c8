"""Writes docs/openapi.json: `python -m api.snapshot`. A test compares that file with the routes, so a changed API shows in review."""

import json
import sys
from pathlib import Path
from typing import cast

from api.app import create_app
from api.deps import GatewayDeps

SNAPSHOT = Path(__file__).parents[1] / "docs" / "openapi.json"


class _NoPorts:
    """Stands where ports, and groups of ports, would: describing routes calls none."""

    def __getattr__(self, name: str) -> "_NoPorts":
        """Return a thing that can do nothing."""
        return _NoPorts()


def rendered() -> str:
    """Return the description as the file holds it."""
    app = create_app(cast("GatewayDeps", _NoPorts()))
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    SNAPSHOT.write_text(rendered(), encoding="utf-8")
    sys.stdout.write("wrote docs/openapi.json\n")


if __name__ == "__main__":
    main()
