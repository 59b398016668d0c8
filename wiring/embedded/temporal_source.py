"""The Go source of our Temporal development server: where it lies, and the cache key it gives its binary."""

import hashlib
from pathlib import Path

TEMPORAL_SERVER_VERSION = (1, 32, 0)
"""The oldest Temporal server the platform runs on: earlier ones lack eager activities and time skipping (TEMPORAL.md)."""

_CHECKOUT = Path(__file__).resolve().parents[2] / "tools" / "temporal-server"
_IN_WHEEL = Path(__file__).resolve().parent / "temporal_server_source"


def source_folder() -> Path | None:
    """Return the folder with `go.mod` and the Go files, from a checkout or from the installed wheel; None when neither has it."""
    return next((folder for folder in (_CHECKOUT, _IN_WHEEL) if (folder / "go.mod").is_file()), None)


def source_key(folder: Path) -> str:
    """Return `<server version>-<12 hex digits>`; the digits change with every byte of the source."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".go", ".mod", ".sum"} and path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return f"{version_text(TEMPORAL_SERVER_VERSION)}-{digest.hexdigest()[:12]}"


def version_text(version: tuple[int, int, int]) -> str:
    """Write a version as `1.32.0`."""
    return ".".join(map(str, version))
