"""Sandboxes on the event loop of workers, uvloop, which knows fewer ways to start a process than asyncio's own."""

import asyncio

import pytest
import uvloop

from domain.sandbox import SandboxResult
from tests.contracts.sandbox_subjects import KINDS, subject_of
from tests.facilities import require


def on_workers_loop(name: str) -> list[SandboxResult]:
    """Run a program, and one that is cancelled, on uvloop."""

    async def both() -> list[SandboxResult]:
        async with subject_of(name) as subject:
            language = subject.language
            command = list(language.command)
            good = await subject.sandbox.run(subject.profile, command, files={"main.py": language.compiled(language.greets)})
            endless = subject.sandbox.run(subject.profile, command, files={"main.py": language.compiled(language.loops)})
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await endless
            return [good, await subject.sandbox.run(subject.profile, command, files={"main.py": language.compiled(language.fails)})]

    return uvloop.run(both())


class TestOnTheLoopOfWorkers:
    @pytest.mark.parametrize("name", [name for name in KINDS if name != "the fake"])
    async def test_runs_and_dies_as_on_any_other(self, name: str) -> None:
        needs = KINDS[name].needs
        if needs is not None:
            require(needs)
        good, failing = await asyncio.to_thread(on_workers_loop, name)
        assert (good.stdout.strip(), failing.ended, failing.exit_code) == ("hello", "exit", 1)
