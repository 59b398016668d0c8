"""Names of files given to a sandbox: relative, inside the work folder, free of tricks."""

from pathlib import PurePosixPath

from domain.errors import InvalidInput


def checked_name(name: str) -> str:
    """Return the name in plain form.

    Raises:
        InvalidInput: it is empty, absolute, climbs with `..`, or holds a NUL.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise InvalidInput(f"the file name {name!r} must be relative and stay in the work folder", where="/files")
    return str(path)
