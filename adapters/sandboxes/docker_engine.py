"""The part of the Docker SDK that sandboxes use, with types; its own annotations are incomplete. Everything here blocks."""

import socket
from typing import Protocol, cast

import docker

DEFAULT_URL = "unix:///var/run/docker.sock"
"""Where Docker listens unless told otherwise (dockerd reference, --host)."""
ANSWER_S = 30
"""How long the daemon may take to answer one request other than a wait, in whole seconds."""


class EngineContainer(Protocol):
    """One container (docker.models.containers.Container)."""

    labels: dict[str, str]
    attrs: dict[str, dict[str, object]]

    def start(self) -> None:
        """Start it."""
        ...

    def wait(self, *, timeout: float) -> object:
        """Wait for its end, at most `timeout` seconds."""
        ...

    def kill(self) -> None:
        """Send SIGKILL."""
        ...

    def reload(self) -> None:
        """Read `attrs` again."""
        ...

    def remove(self, *, force: bool, v: bool) -> None:
        """Remove it, running or not, with its volumes."""
        ...

    def attach_socket(self, *, params: dict[str, int]) -> object:
        """Attach to its streams."""
        ...


class EngineContainers(Protocol):
    """The containers of a daemon."""

    def create(self, image: str, command: list[str], **options: object) -> EngineContainer:
        """Make a container without starting it."""
        ...

    def list(self, *, all: bool, filters: dict[str, str], ignore_removed: bool) -> list[EngineContainer]:  # noqa: A002 (the SDK's name)
        """Return the containers that fit the filters."""
        ...


class Engine(Protocol):
    """One daemon (docker.DockerClient)."""

    @property
    def containers(self) -> EngineContainers:
        """Its containers."""
        ...

    def info(self) -> dict[str, object]:
        """Return what it says about itself."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def connect(base_url: str) -> Engine:
    """Return a client of the daemon at `base_url` (`unix:///path` or `tcp://host:port`).

    Raises:
        OSError: nothing listens on that Unix socket.
        DockerException: no daemon answers there.
    """
    if base_url.startswith("unix://"):
        # The SDK leaves its socket open when the connection is refused; so look first.
        with socket.socket(socket.AF_UNIX) as looking:
            looking.settimeout(ANSWER_S)
            looking.connect(base_url.removeprefix("unix://"))
    return cast("Engine", docker.DockerClient(base_url=base_url, timeout=ANSWER_S))
