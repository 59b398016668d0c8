"""The options of local commands as values, apart from what runs them: reading a command line must not load wiring."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class DevOptions:
    """Options of `dev`.

    Attributes:
        state_dir: The state folder; None for the one of the settings.
        detach: Run in the background.
        stop: Stop the stack.
        status: Say what runs.
        reset: Delete the data.
        yes: Ask nothing.
        background: Say nothing when ready: the command with `detach` that started this one does.
        json_output: Write JSON.
    """

    state_dir: Path | None = None
    detach: bool = False
    background: bool = False
    stop: bool = False
    status: bool = False
    reset: bool = False
    yes: bool = False
    json_output: bool = False


@dataclass(frozen=True, kw_only=True)
class PartOptions:
    """A part started alone has no options of its own; its settings come from the environment."""


@dataclass(frozen=True, kw_only=True)
class MigrateOptions:
    """Options of `migrate`: with `check` nothing is changed."""

    check: bool = False


@dataclass(frozen=True, kw_only=True)
class KeyOptions:
    """Options of `keys create`; without a tenant, that of the settings."""

    name: str
    role: str
    reviewer_roles: tuple[str, ...] = ()
    tenant: str | None = None
    json_output: bool = False


@dataclass(frozen=True, kw_only=True)
class RevokeOptions:
    """Options of `keys revoke`."""

    key_id: str
    tenant: str | None = None
    json_output: bool = False


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Options of `demo`: with `keep` the stack goes on afterwards."""

    keep: bool = False


@dataclass(frozen=True, kw_only=True)
class ValidateOptions:
    """Options of `validate`."""

    path: Path
    json_output: bool = False


@dataclass(frozen=True, kw_only=True)
class PolicyTestOptions:
    """Options of `policy test`."""

    path: Path
    json_output: bool = False


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """Options of `doctor`."""

    state_dir: Path | None = None
    json_output: bool = False


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Options of `eval`, with the gateway that was found."""

    url: str
    key: str
    dataset: Path
    definition: str | None = None
    scorers: Path | None = None
    baseline: Path | None = None
    tolerance: float = 0.0
    fail_under: float | None = None
    out: Path | None = None
    traces: Path | None = None
    name: str | None = None
    at_once: int = 4
    timeout_s: float = 600.0
    json_output: bool = False


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """Options of `replay`: a folder of traces, or one of them, and the definitions to play them with."""

    traces: Path
    bundle: Path
    json_output: bool = False
