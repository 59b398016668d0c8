"""What code sees from inside the two backends that run real programs: the policy of PROOF B21, read where it holds."""

from collections.abc import AsyncGenerator

import pytest

from domain.sandbox import SandboxResult
from tests.contracts.sandbox_subjects import Subject, subject_of

STATUS = "cat /proc/self/status"
REAL = ["bubblewrap", "docker"]


@pytest.fixture(params=REAL)
async def subject(request: pytest.FixtureRequest) -> AsyncGenerator[Subject]:
    """Each backend in turn."""
    name: str = request.param
    async with subject_of(name) as made:
        yield made


async def shell(subject: Subject, script: str, *, stdin: bytes = b"") -> SandboxResult:
    """Run a shell script."""
    return await subject.sandbox.run(subject.profile, ["sh", "script.sh"], files={"script.sh": script.encode()}, stdin=stdin)


def status_of(result: SandboxResult) -> dict[str, str]:
    """Return the fields of /proc/self/status."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in result.stdout.splitlines())}


class TestInsideASandbox:
    async def test_code_is_nobody_without_rights(self, subject: Subject) -> None:
        status = status_of(await shell(subject, STATUS))
        assert status["Uid"].split() == ["65534"] * 4
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")

    async def test_there_is_no_network_but_loopback(self, subject: Subject) -> None:
        result = await shell(subject, "cat /proc/net/dev")
        names = [line.split(":")[0].strip() for line in result.stdout.splitlines() if ":" in line]
        assert set(names) <= {"lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0"}

    @pytest.mark.parametrize("place", ["/", "/usr", "/etc", "/dev/shm", "/proc/sys/kernel"])  # noqa: S108 (a place in the sandbox)
    async def test_the_system_is_read_only(self, subject: Subject, place: str) -> None:
        result = await shell(subject, f"[ -d {place} ] || exit 9; echo x > {place}/planted && echo planted")
        assert "planted" not in result.stdout
        assert result.exit_code != 0

    async def test_only_its_own_processes_are_seen(self, subject: Subject) -> None:
        result = await shell(subject, "ls /proc | grep -c '^[0-9]'")
        assert int(result.stdout) <= 8

    async def test_processes_are_limited(self, subject: Subject) -> None:
        result = await shell(subject, "n=0; while [ $n -lt 100 ]; do sleep 20 & n=$((n+1)); done; echo all started")
        assert "all started" not in result.stdout

    async def test_the_disk_is_limited(self, subject: Subject) -> None:
        result = await shell(subject, "dd if=/dev/zero of=/work/big bs=1048576 count=500 2>/dev/null && echo written")
        assert "written" not in result.stdout

    async def test_processes_left_behind_die_with_it(self, subject: Subject) -> None:
        result = await shell(subject, "sleep 900 & echo done")
        assert (result.ended, result.stdout) == ("exit", "done\n")

    async def test_standard_input_arrives_whole(self, subject: Subject) -> None:
        result = await shell(subject, "wc -c", stdin=b"x" * 300_000)
        assert result.stdout.split() == ["300000"]

    async def test_the_exit_code_is_the_program_s(self, subject: Subject) -> None:
        assert (await shell(subject, "exit 42")).exit_code == 42

    async def test_no_socket_of_docker_is_there(self, subject: Subject) -> None:
        assert (await shell(subject, "ls /var/run/docker.sock /run/docker.sock 2>/dev/null; echo looked")).stdout == "looked\n"


class TestGvisor:
    async def test_code_runs_on_another_kernel(self) -> None:
        async with subject_of("gvisor") as subject:
            result = await shell(subject, "cat /proc/version")
        assert result.stdout.startswith("Linux version 4.4.0")
