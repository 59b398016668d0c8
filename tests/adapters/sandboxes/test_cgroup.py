"""Limits by cgroup v2: which group may be divided, and what is written there; on a folder that looks like the kernel's."""

from pathlib import Path

import pytest

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.cgroup import SandboxGroup, own_group, refusal
from domain.errors import SandboxUnavailable
from domain.sandbox import MIB, SandboxProfile
from tests.facilities import require

PROFILE = SandboxProfile(name="small", backend="bubblewrap", memory_bytes=64 * MIB, pids=7, cpus=0.5)


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """A folder that hands memory, pids and cpu on."""
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory pids\n", encoding="ascii")
    return tmp_path


class TestOwnGroup:
    def test_is_found_under_the_mount_of_version_two(self, tmp_path: Path) -> None:
        (tmp_path / "cgroup").write_text("4:memory:/old\n0::/system.slice/worker\n", encoding="ascii")
        (tmp_path / "mountinfo").write_text(
            "30 20 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n", encoding="ascii"
        )
        assert own_group(tmp_path) == Path("/sys/fs/cgroup/unified/system.slice/worker")

    def test_is_none_where_only_version_one_is(self, tmp_path: Path) -> None:
        (tmp_path / "cgroup").write_text("4:memory:/old\n", encoding="ascii")
        (tmp_path / "mountinfo").write_text("", encoding="ascii")
        assert own_group(tmp_path) is None


class TestRefusal:
    def test_takes_a_group_that_hands_on_what_is_needed(self, group: Path) -> None:
        assert refusal(group) is None

    def test_says_which_controllers_are_lacking(self, group: Path) -> None:
        (group / "cgroup.subtree_control").write_text("cpu\n", encoding="ascii")
        assert "write `+memory +pids`" in str(refusal(group))

    def test_says_that_a_folder_is_no_cgroup(self, tmp_path: Path) -> None:
        assert "is no cgroup v2 folder" in str(refusal(tmp_path))

    async def test_never_leaves_the_sandbox_to_weaker_limits_when_a_group_was_asked_for(self, tmp_path: Path) -> None:
        require("bubblewrap")
        with pytest.raises(SandboxUnavailable, match="STANDFAST_SANDBOX_CGROUP cannot be used"):
            await BubblewrapSandbox(cgroup=tmp_path).run(PROFILE, ["true"], files={})


class TestSandboxGroup:
    def test_has_the_profile_s_limits(self, group: Path) -> None:
        SandboxGroup(group, PROFILE).add(42)
        made = next(group.glob("standfast-sandbox-*"))
        written = {name: (made / name).read_text(encoding="ascii") for name in ("memory.max", "memory.swap.max", "pids.max", "cpu.max")}
        assert written == {"memory.max": str(64 * MIB), "memory.swap.max": "0", "pids.max": "7", "cpu.max": "50000 100000"}
        assert (made / "cgroup.procs").read_text(encoding="ascii") == "42"

    def test_tells_that_the_kernel_killed_for_memory(self, group: Path) -> None:
        made = SandboxGroup(group, PROFILE)
        events = next(group.glob("standfast-sandbox-*")) / "memory.events"
        events.write_text("low 0\noom 1\noom_kill 0\n", encoding="ascii")
        assert made.broken() is None
        events.write_text("low 0\noom 2\noom_kill 1\n", encoding="ascii")
        assert made.broken() == "memory"

    def test_kills_all_at_once(self, group: Path) -> None:
        SandboxGroup(group, PROFILE).kill()
        assert (next(group.glob("standfast-sandbox-*")) / "cgroup.kill").read_text(encoding="ascii") == "1"

    async def test_holds_the_processes_of_a_real_run(self, group: Path) -> None:
        require("bubblewrap")
        sandbox = BubblewrapSandbox(cgroup=group)
        assert sandbox.limits == f"cgroup v2 ({group})"
        result = await sandbox.run(PROFILE, ["echo", "held"], files={})
        assert result.stdout == "held\n"
        # A plain folder keeps what the kernel's would have taken away: the last process that was moved in.
        assert int(next(group.glob("standfast-sandbox-*/cgroup.procs")).read_text(encoding="ascii")) > 1
