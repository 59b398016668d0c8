"""The bundle as the demo registers it: with the addresses of the bank and the mail service that run now, and the model to use."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "bundle"
DEFINITION = "delay-claim"
BANK_URL = "http://127.0.0.1:8401"
MAIL_URL = "http://127.0.0.1:8402"
"""Where the bundle's tools expect bank and mail service."""

_DEFINITION_FILE = "delay-claim.yaml"
_VERSION_LINE = "version: 1.0.0\n"
VERSION = "1.0.0"
"""The version in the file."""


def read_bundle_files(folder: Path = FOLDER) -> dict[str, str]:
    """Return the bundle's files: path inside the folder → text."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".json", ".md"))
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def with_addresses(files: Mapping[str, str], *, bank_url: str, mail_url: str) -> dict[str, str]:
    """Return the files with the services' real addresses in the tools."""
    return {
        name: text.replace(BANK_URL, bank_url).replace(MAIL_URL, mail_url) if name.startswith("tools/") else text
        for name, text in files.items()
    }


def named_after_content(files: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the files with a version that no other content has, and that version.

    A registered version never changes. When an earlier demo has registered 1.0.0 with other addresses, this one registers a
    pre-release of its own beside it.
    """
    content = "\0".join(f"{name}\0{files[name]}" for name in sorted(files))
    version = f"{VERSION}-demo.h{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    definition = files[_DEFINITION_FILE].replace(_VERSION_LINE, f"version: {version}\n", 1)
    return {**files, _DEFINITION_FILE: definition}, version
