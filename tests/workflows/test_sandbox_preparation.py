"""The run workflow runs without the import sandbox for speed, and yet prepares under its strictest settings (JOURNAL §11)."""

import dataclasses
import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import (
    RestrictedWorkflowAccessError,
    SandboxedWorkflowRunner,
    SandboxRestrictions,
    UnintentionalPassthroughError,
)
from temporalio.workflow import SandboxImportNotificationPolicy

from workflows.run import RunWorkflow

LIBRARIES = ("pydantic", "pydantic_core", "annotated_types", "typing_inspection", "typing_extensions", "temporalio", "nexusrpc")
ENGINES = ("cel_expr_python", "google", "rfc8785", "jsonschema_rs", "semantic_version")
"""Deterministic libraries behind one module of ours each; native code cannot be loaded twice."""
ROOMS = ("domain", "sagas", "activities", "workflows")

NAUGHTY = """
from temporalio import workflow
{line}
@workflow.defn(sandboxed=False)
class Naughty:
    @workflow.run
    async def run(self) -> None:
        pass
"""


def reloading() -> WorkflowRunner:
    """Build a sandbox that loads our rooms anew under its restrictions: whatever they do on import is watched."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*LIBRARIES, *ENGINES))


def refusing() -> WorkflowRunner:
    """Build a sandbox that refuses every module but those named here: nothing else can slip into workflow code."""
    restrictions = dataclasses.replace(
        SandboxRestrictions.default.with_passthrough_modules(*LIBRARIES, *ENGINES, *ROOMS),
        import_notification_policy=SandboxImportNotificationPolicy.RAISE_ON_UNINTENTIONAL_PASSTHROUGH,
    )
    return SandboxedWorkflowRunner(restrictions=restrictions)


def prepare(runner: WorkflowRunner, cls: type) -> None:
    """Prepare a workflow class."""
    runner.prepare_workflow(workflow._Definition.must_from_class(cls))


class TestRunWorkflow:
    async def test_prepares_with_all_our_rooms_loaded_anew(self) -> None:
        prepare(reloading(), RunWorkflow)

    async def test_prepares_where_every_other_module_is_refused(self) -> None:
        prepare(refusing(), RunWorkflow)

    def test_is_declared_unsandboxed(self) -> None:
        assert workflow._Definition.must_from_class(RunWorkflow).sandboxed is False


class TestTheseSandboxes:
    @pytest.mark.parametrize(
        ("name", "line", "refuses"),
        [
            ("naughty_dice", "import random\nrandom.random()", reloading),
            ("naughty_network", "import httpx2", refusing),
        ],
    )
    async def test_refuse_a_workflow_that_misbehaves(
        self, name: str, line: str, refuses: Callable[[], WorkflowRunner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / f"{name}.py").write_text(NAUGHTY.format(line=line), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType] - pytest leaves its argument untyped
        naughty = importlib.import_module(name)
        with pytest.raises((RestrictedWorkflowAccessError, UnintentionalPassthroughError)):
            prepare(refuses(), naughty.Naughty)
