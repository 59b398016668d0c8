"""Semantic versions and npm-style ranges; the only module that imports semantic_version. Pure."""

from collections.abc import Iterable

from semantic_version import NpmSpec, Version  # pyright: ignore[reportMissingTypeStubs]  # it ships annotations, and no stubs

from domain.errors import InvalidInput


def is_version(text: str) -> bool:
    """Whether this is a semantic version, such as `1.4.0` or `2.0.0-rc.1`."""
    try:
        Version(text)
    except ValueError:
        return False
    return True


def is_range(text: str) -> bool:
    """Whether this is an npm-style range, such as `^1`, `1.2.x` or `>=1.2.0 <2`."""
    try:
        NpmSpec(text)
    except ValueError:
        return False
    return True


def parse_version(text: str) -> str:
    """Return the version as it is written, when it is one.

    Raises:
        InvalidInput: it is no semantic version.
    """
    return str(_version(text))


def newest(ranges: Iterable[str], versions: Iterable[str]) -> str | None:
    """Return the highest of the versions that lies in every range, or None.

    Without a range, pre-releases count only when there is nothing else; inside a range as npm has it.

    Raises:
        InvalidInput: a range or a version cannot be read.
    """
    specs = [(text, _range(text)) for text in ranges]
    parsed = {text: _version(text) for text in versions}
    if specs:
        fitting = [text for text in parsed if all(_fits(parsed[text], wanted, spec) for wanted, spec in specs)]
    else:
        fitting = [text for text, version in parsed.items() if not version.prerelease] or list(parsed)
    return max(fitting, key=parsed.__getitem__, default=None)


def highest(versions: Iterable[str], version_range: str | None) -> str | None:
    """Return the highest of the versions that lies in the range (None: of all), or None.

    Raises:
        InvalidInput: the range or a version cannot be read.
    """
    return newest([] if version_range is None else [version_range], versions)


def newest_first(versions: Iterable[str]) -> list[str]:
    """Return the versions from the highest to the lowest.

    Raises:
        InvalidInput: one of them is no semantic version.
    """
    return sorted(versions, key=_version, reverse=True)


def by_name(keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (name, version) pairs by name, each name's versions from the highest to the lowest.

    Raises:
        InvalidInput: one of them is no semantic version.
    """
    versions: dict[str, list[str]] = {}
    for name, version in keys:
        versions.setdefault(name, []).append(version)
    return [(name, version) for name in sorted(versions) for version in newest_first(versions[name])]


def _version(text: str) -> Version:
    try:
        return Version(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:60]!r} is no semantic version: write three numbers, such as 1.0.0") from error


def _fits(version: Version, wanted: str, spec: NpmSpec) -> bool:
    """Tell whether a version lies in a range; a pre-release is itself alone, where `NpmSpec` takes its release for it too."""
    if is_version(wanted) and _version(wanted).prerelease:
        return str(version) == wanted
    return version in spec


def _range(text: str) -> NpmSpec:
    try:
        return NpmSpec(text)
    except ValueError as error:
        raise InvalidInput(f"{text[:60]!r} is no version range: write for example ^1, 1.2.x or >=1.2.0 <2") from error
