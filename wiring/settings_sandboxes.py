"""Settings of sandboxes: Docker, warm pools, cgroups, and profiles of the installation's own."""

from pathlib import Path
from typing import cast

from pydantic import Field, field_validator

from domain.sandbox import SandboxProfile
from wiring.settings_ground import Group


class SandboxSettings(Group):
    """Where and how generated code and tools run."""

    docker_url: str | None = Field(
        default=None, validation_alias="STANDFAST_DOCKER_URL", description="address of the Docker daemon for the docker sandbox"
    )
    docker_runtime: str | None = Field(
        default=None, validation_alias="STANDFAST_DOCKER_RUNTIME", description="container runtime of the docker sandbox, such as runsc"
    )
    warm: int = Field(
        default=1,
        ge=0,
        le=32,
        validation_alias="STANDFAST_SANDBOX_WARM",
        description="started containers that wait for each profile once it was used, and so many processes for wasm; 0: none",
    )
    cgroup: Path | None = Field(
        default=None,
        validation_alias="STANDFAST_SANDBOX_CGROUP",
        description="cgroup v2 folder that the worker may divide for bubblewrap; none: its own group where that is possible, else a watch",
    )
    modules: Path | None = Field(
        default=None,
        validation_alias="STANDFAST_WASM_MODULES",
        description="folder of WebAssembly modules for wasm tools, each file named SHA256.wasm",
    )
    profiles: dict[str, SandboxProfile] = Field(
        default={},
        validation_alias="STANDFAST_SANDBOX_PROFILES",
        description="JSON: name of a sandbox profile to its limits; a name that the platform has is replaced (docs/sandboxes.md)",
    )

    @field_validator("profiles", mode="before")
    @classmethod
    def _named(cls, profiles: object) -> object:
        """Give each profile the name it stands under."""
        if not isinstance(profiles, dict):
            return profiles
        given = cast("dict[str, object]", profiles)
        return {name: {"name": name, **cast("dict[str, object]", each)} if isinstance(each, dict) else each for name, each in given.items()}
