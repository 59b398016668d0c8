"""Finds the gateway's URL and an API key: arguments, then the environment, then the `dev.json` of a running `standfast dev`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from standfast_client.errors import NotConfiguredError

STATE_FOLDER = ".standfast"
DEFAULT_ROLE = "admin"
"""The key of `dev.json` that is used when no role is asked for. It may do everything but decide approvals it asked for."""

_START = "start a local stack with `standfast dev`"


@dataclass(frozen=True)
class Connection:
    """Where the gateway is, and as whom to speak to it.

    Attributes:
        url: Base URL without `/v1` and without a slash at its end.
        key: The API key; not shown by repr.
        source: Where URL and key came from, for messages.
    """

    url: str
    key: str
    source: str

    def __repr__(self) -> str:
        """Return the fields without the key."""
        return f"Connection(url={self.url!r}, source={self.source!r})"


@dataclass(frozen=True)
class DevFile:
    """The two things of a `dev.json` that a client uses."""

    path: Path
    gateway_url: str
    api_keys: Mapping[str, str]


def find_connection(
    url: str | None = None,
    key: str | None = None,
    *,
    role: str | None = None,
    default_role: str = DEFAULT_ROLE,
    state_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Connection:
    """Return the connection to use.

    URL: `url`, else `STANDFAST_URL`, else `gateway_url` of `dev.json`. Key: `key`, else `STANDFAST_API_KEY`, else the key of
    the role in `dev.json`; that file's keys are only ever sent to that file's gateway.

    Args:
        url: Base URL of the gateway.
        key: API key.
        role: Whose key of `dev.json` to use; else `STANDFAST_ROLE`, else `default_role`. A role that is named wins
            over `STANDFAST_API_KEY`.
        default_role: Whose key to use when no role is named anywhere.
        state_dir: The state folder of the stack; else `STANDFAST_STATE_DIR`, else the first `.standfast/` from the working folder upward.
        environment: Variables to read instead of the process's own.

    Raises:
        NotConfiguredError: When either is missing; the text says what to set.
    """
    variables = os.environ if environment is None else environment
    asked_url = url or variables.get("STANDFAST_URL") or None
    asked_key = key or (None if role else variables.get("STANDFAST_API_KEY") or None)
    if asked_url and asked_key:
        return Connection(_base(asked_url), asked_key, "arguments or environment")
    dev = find_dev_file(state_dir or _path(variables.get("STANDFAST_STATE_DIR")))
    if dev is None:
        raise NotConfiguredError(_what_is_missing(asked_url, state_dir))
    chosen = _base(asked_url or dev.gateway_url)
    if asked_key:
        return Connection(chosen, asked_key, str(dev.path))
    if chosen != _base(dev.gateway_url):
        raise NotConfiguredError(
            f"there is no API key for {chosen}: set STANDFAST_API_KEY (the keys in {dev.path} belong to {dev.gateway_url})"
        )
    return Connection(chosen, _key_of(dev, role or variables.get("STANDFAST_ROLE") or default_role), str(dev.path))


def find_dev_file(state_dir: Path | None = None) -> DevFile | None:
    """Return the `dev.json` of a state folder, or of the first `.standfast/` from the working folder upward.

    Raises:
        NotConfiguredError: When the file is there and cannot be read.
    """
    here = Path.cwd()
    folders = [state_dir] if state_dir is not None else [folder / STATE_FOLDER for folder in (here, *here.parents)]
    for folder in folders:
        path = folder / "dev.json"
        if path.is_file():
            return _read_dev_file(path)
    return None


def _read_dev_file(path: Path) -> DevFile:
    try:
        content = cast("dict[str, object]", json.loads(path.read_text(encoding="utf-8")))
        keys = cast("dict[str, str]", content["api_keys"])
        return DevFile(path, str(content["gateway_url"]), dict(keys))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotConfiguredError(f"{path} cannot be read ({error}): {_START} again, or set STANDFAST_URL and STANDFAST_API_KEY") from error


def _key_of(dev: DevFile, role: str) -> str:
    if role not in dev.api_keys:
        raise NotConfiguredError(f"{dev.path} has no key of the role {role!r}; there are {', '.join(sorted(dev.api_keys)) or 'none'}")
    return dev.api_keys[role]


def _what_is_missing(asked_url: str | None, state_dir: Path | None) -> str:
    where = f"{state_dir / 'dev.json'}" if state_dir else f"{STATE_FOLDER}/dev.json here or in a folder above"
    missing = f"no API key for {asked_url}" if asked_url else "no gateway"
    wanted = "STANDFAST_API_KEY" if asked_url else "STANDFAST_URL and STANDFAST_API_KEY"
    return f"{missing} is known, and there is no {where}: {_START}, or set {wanted}"


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _base(url: str) -> str:
    """Return the URL without `/v1` and closing slashes.

    Raises:
        NotConfiguredError: It is no HTTP URL.
    """
    if not url.startswith(("http://", "https://")):
        raise NotConfiguredError(f"{url!r} is no gateway URL: it begins with http:// or https://, such as http://127.0.0.1:8080")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")
