"""Reads a bundle (a folder with definition, prompts, schemas) into the form the gateway takes: path → text."""

from pathlib import Path

from standfast_client.errors import StandfastError

BUNDLE_SUFFIXES = frozenset({".yaml", ".yml", ".json", ".md", ".txt", ".cedar"})
"""What belongs to a bundle; other files in the folder, such as code and data, stay at home."""


class BundleError(StandfastError):
    """The folder cannot be read as a bundle."""


def read_bundle(path: Path) -> dict[str, str]:
    """Return the files of a folder, or one file, by path relative to the folder with `/` between the parts.

    Hidden files and folders are left out.

    Raises:
        BundleError: There is no such path, it holds no file of a bundle, or a file is no UTF-8 text.
    """
    if path.is_file():
        return {path.name: _text(path)}
    if not path.is_dir():
        raise BundleError(f"{path} does not exist: name a folder with a definition, or one YAML file")
    names = sorted(file.relative_to(path) for file in path.rglob("*") if file.is_file() and file.suffix.lower() in BUNDLE_SUFFIXES)
    files = {name.as_posix(): _text(path / name) for name in names if not any(part.startswith((".", "__")) for part in name.parts)}
    if not files:
        raise BundleError(f"{path} holds no file of a bundle ({', '.join(sorted(BUNDLE_SUFFIXES))})")
    return files


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path} is no UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
