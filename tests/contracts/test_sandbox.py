"""What every sandbox backend does, run on each of them and on the fake."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType

import pytest

from domain.errors import InvalidInput
from domain.sandbox import OnOutput, SandboxResult
from tests.contracts.sandbox_subjects import KINDS, Subject, subject_of

SHORT = {"wall_s": 1.0, "cpu_s": 1.0}
"""Limits for programs that never end. That they are gone within two seconds (PROOF B22) is measured by `benchmarks/sandbox_stop.py`."""


@pytest.fixture(params=list(KINDS))
async def subject(request: pytest.FixtureRequest) -> AsyncGenerator[Subject]:
    """Each backend in turn."""
    name: str = request.param
    async with subject_of(name) as made:
        yield made


async def run(
    subject: Subject,
    source: str,
    *,
    data: bytes | None = None,
    on_output: OnOutput | None = None,
    limits: Mapping[str, float] = MappingProxyType({}),
) -> SandboxResult:
    """Run one program."""
    profile = subject.profile.model_copy(update=dict(limits))
    files = {"main.py": subject.language.compiled(source)}
    if data is not None:
        files["data.txt"] = data
    return await subject.sandbox.run(profile, list(subject.language.command), files=files, on_output=on_output)


class TestSandbox:
    async def test_returns_what_the_program_wrote(self, subject: Subject) -> None:
        result = await run(subject, subject.language.greets)
        assert (result.ended, result.exit_code, result.stdout.strip(), result.truncated) == ("exit", 0, "hello", False)

    async def test_keeps_the_streams_apart(self, subject: Subject) -> None:
        result = await run(subject, subject.language.warns)
        assert (result.stdout, result.stderr.strip()) == ("", "careful")

    async def test_gives_the_program_its_files(self, subject: Subject) -> None:
        result = await run(subject, subject.language.shows_data, data="täglich".encode())
        assert result.stdout.strip() == "täglich"

    async def test_tells_a_failing_program_from_a_broken_sandbox(self, subject: Subject) -> None:
        result = await run(subject, subject.language.fails)
        assert (result.ended, result.exit_code) == ("exit", 1)
        assert "wrong sum" in result.stderr

    async def test_hides_the_environment_of_the_platform(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(os.environ, "STANDFAST_TEST_SECRET", "do-not-leak")
        result = await run(subject, subject.language.shows_environment)
        assert result.exit_code == 0
        assert "do-not-leak" not in result.stdout

    async def test_leaves_nothing_behind_for_the_next_run(self, subject: Subject) -> None:
        first = await run(subject, subject.language.writes_left)
        second = await run(subject, subject.language.shows_left)
        assert first.exit_code == 0
        assert "written" not in second.stdout
        assert second.stdout

    async def test_hands_back_the_files_asked_for(self, subject: Subject) -> None:
        profile = subject.profile.model_copy(update={"files_out": ("left.txt", "never/made.txt")})
        files = {"main.py": subject.language.compiled(subject.language.writes_left)}
        result = await subject.sandbox.run(profile, list(subject.language.command), files=files)
        assert {name: content.strip() for name, content in result.files.items()} == {"left.txt": b"written"}
        assert result.exit_code == 0

    async def test_refuses_to_hand_back_what_lies_outside_the_work_folder(self, subject: Subject) -> None:
        profile = subject.profile.model_copy(update={"files_out": ("../etc/passwd",)})
        with pytest.raises(InvalidInput, match="work folder"):
            await subject.sandbox.run(
                profile, list(subject.language.command), files={"main.py": subject.language.compiled(subject.language.greets)}
            )

    async def test_refuses_a_network_that_it_cannot_hold_to_a_list(self, subject: Subject) -> None:
        if subject.networked:
            pytest.skip("it has a network by allow-list; see the tests of that")
        profile = subject.profile.model_copy(update={"network": "allow", "egress": ("api.example.org",)})
        with pytest.raises(InvalidInput, match="network"):
            await subject.sandbox.run(
                profile, list(subject.language.command), files={"main.py": subject.language.compiled(subject.language.greets)}
            )

    async def test_refuses_a_file_outside_the_work_folder(self, subject: Subject) -> None:
        with pytest.raises(InvalidInput, match="work folder"):
            await subject.sandbox.run(
                subject.profile,
                list(subject.language.command),
                files={"main.py": subject.language.compiled(subject.language.greets), "../escape": b"x"},
            )


class TestSandboxLimits:
    async def test_stops_a_program_that_loops_for_ever(self, subject: Subject) -> None:
        assert (await run(subject, subject.language.loops, limits=SHORT)).ended == "timeout"

    async def test_stops_a_program_that_sleeps_for_ever(self, subject: Subject) -> None:
        assert (await run(subject, subject.language.sleeps, limits=SHORT)).ended == "timeout"

    async def test_stops_a_program_that_eats_memory(self, subject: Subject) -> None:
        if not subject.limits_memory:
            pytest.skip("Debian's runsc of 2022 ignores cgroups, see .ci/start-docker.sh")
        result = await run(subject, subject.language.eats)
        assert result.ended == "memory"

    async def test_cuts_a_program_that_writes_for_ever(self, subject: Subject) -> None:
        result = await run(subject, subject.language.floods)
        assert (result.ended, result.truncated) == ("output", True)
        assert len(result.stdout) + len(result.stderr) <= subject.profile.output_bytes

    async def test_works_again_after_a_program_broke_its_limits(self, subject: Subject) -> None:
        await run(subject, subject.language.floods)
        assert (await run(subject, subject.language.greets)).stdout.strip() == "hello"


class TestSandboxWhileItRuns:
    async def test_hands_on_the_output(self, subject: Subject) -> None:
        chunks: list[tuple[str, bytes]] = []

        async def listen(stream: str, chunk: bytes) -> None:
            chunks.append((stream, chunk))

        result = await run(subject, subject.language.greets, on_output=listen)
        assert b"".join(chunk for stream, chunk in chunks if stream == "stdout").decode() == result.stdout

    async def test_dies_when_cancelled(self, subject: Subject) -> None:
        started = asyncio.Event()

        async def listen(_stream: str, _chunk: bytes) -> None:
            started.set()

        running = asyncio.create_task(run(subject, subject.language.greets_then_sleeps, on_output=listen))
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (await run(subject, subject.language.greets)).stdout.strip() == "hello"

    async def test_runs_beside_another_one(self, subject: Subject) -> None:
        results = await asyncio.gather(*(run(subject, subject.language.greets) for _ in range(4)))
        assert [result.stdout.strip() for result in results] == ["hello"] * 4
