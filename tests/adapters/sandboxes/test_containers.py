"""What only containers do: images by digest, containers that wait warm, and what a killed worker left."""

import asyncio
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.sandboxes.container_options import DEADLINE_LABEL, LABEL, container_options
from adapters.sandboxes.container_pool import sweep
from adapters.sandboxes.docker_backend import DockerSandbox
from adapters.sandboxes.docker_engine import DEFAULT_URL, Engine, connect
from domain.errors import InvalidInput
from domain.sandbox import MIB, SandboxProfile
from tests.contracts.sandbox_subjects import TEST_IMAGE
from tests.examples.running_service import wait_until
from tests.facilities import docker_url, require

PROFILE = SandboxProfile(name="warmed", backend="docker", image=TEST_IMAGE, memory_bytes=64 * MIB, wall_s=5.0)
DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def engine() -> Engine:
    """The daemon."""
    require("docker")
    return connect(docker_url() or DEFAULT_URL)


@pytest.fixture
async def warm(engine: Engine) -> AsyncGenerator[DockerSandbox]:
    """A sandbox that keeps one container ready."""
    sandbox = DockerSandbox(base_url=docker_url(), warm=1)
    yield sandbox
    await sandbox.aclose()
    assert waiting(engine) == []
    engine.close()


def waiting(engine: Engine) -> list[str]:
    """Return the ids of this profile's containers."""
    found = engine.containers.list(all=True, filters={"label": f"{LABEL}={PROFILE.name}"}, ignore_removed=True)
    return [str(container.attrs["Id"]) for container in found]


class TestImages:
    @pytest.mark.parametrize("image", ["python:3.11-slim", "python", f"python@{DIGEST[:-1]}", "registry.example/x:sha256"])
    async def test_named_by_a_tag_are_refused_in_production(self, image: str) -> None:
        sandbox = DockerSandbox(base_url="unix:///nowhere", pinned=True)
        with pytest.raises(InvalidInput, match="named by a tag"):
            await sandbox.run(PROFILE.model_copy(update={"image": image}), ["true"], files={})

    @pytest.mark.parametrize("image", [f"python@{DIGEST}", f"registry.example:5000/a/b:1.2@{DIGEST}", DIGEST])
    def test_named_by_digest_are_taken(self, image: str) -> None:
        assert DockerSandbox(base_url="unix:///nowhere", pinned=True).unfit(PROFILE.model_copy(update={"image": image})) is None

    async def test_named_by_their_id_run(self, engine: Engine) -> None:
        made = engine.containers.create(TEST_IMAGE, [], **container_options(PROFILE, runtime=None, deadline_s=time.time() + 60))
        made.reload()
        image = str(made.attrs["Image"])
        made.remove(force=True, v=True)
        engine.close()
        sandbox = DockerSandbox(base_url=docker_url(), pinned=True)
        result = await sandbox.run(PROFILE.model_copy(update={"image": image}), ["echo", "by id"], files={})
        await sandbox.aclose()
        assert result.stdout == "by id\n"


class TestWarmContainers:
    async def test_are_used_once_and_replaced(self, warm: DockerSandbox, engine: Engine) -> None:
        await warm.run(PROFILE, ["true"], files={})
        await warm.ready()
        (ready,) = waiting(engine)
        first = await warm.run(PROFILE, ["sh", "-c", "echo x >/work/left; hostname"], files={})
        await warm.ready()
        assert first.exit_code == 0
        assert ready not in waiting(engine)
        second = await warm.run(PROFILE, ["sh", "-c", "cat /work/left; echo $?"], files={})
        assert second.stdout == "1\n"

    async def test_wait_apart_for_each_profile(self, warm: DockerSandbox) -> None:
        await warm.run(PROFILE, ["true"], files={})
        await warm.ready()
        result = await warm.run(
            PROFILE.model_copy(update={"pids": 9}), ["cat", "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/pids.max"], files={}
        )
        assert "9" in result.stdout.split()

    async def test_are_no_more_than_asked_for_when_many_run_at_once(self, warm: DockerSandbox, engine: Engine) -> None:
        await asyncio.gather(*(warm.run(PROFILE, ["true"], files={}) for _ in range(4)))
        await warm.ready()
        assert len(waiting(engine)) == 1

    async def test_that_died_while_they_waited_are_not_used(self, warm: DockerSandbox, engine: Engine) -> None:
        await warm.run(PROFILE, ["true"], files={})
        await warm.ready()
        for container in engine.containers.list(all=True, filters={"label": f"{LABEL}={PROFILE.name}"}, ignore_removed=True):
            container.kill()
        assert (await warm.run(PROFILE, ["echo", "fresh"], files={})).stdout == "fresh\n"


class TestSweep:
    def test_that_meets_another_ones_in_the_middle_goes_on(self, engine: Engine) -> None:
        late = [
            engine.containers.create(TEST_IMAGE, [], **container_options(PROFILE, runtime=None, deadline_s=time.time() - 1))
            for _ in range(8)
        ]
        with ThreadPoolExecutor(4) as several:
            for done in [several.submit(sweep, engine) for _ in range(4)]:
                done.result()
        made = {str(container.attrs["Id"]) for container in late}

        def gone() -> bool:
            left = engine.containers.list(all=True, filters={"label": DEADLINE_LABEL}, ignore_removed=True)
            return not made & {str(container.attrs["Id"]) for container in left}

        wait_until(gone)  # another process's sweep may have the last of them
        engine.close()

    async def test_removes_what_a_killed_worker_left_once_its_deadline_passed(self, engine: Engine) -> None:
        options = container_options(PROFILE, runtime=None, deadline_s=time.time() - 1)
        late = engine.containers.create(TEST_IMAGE, [], **options)
        other = engine.containers.create(TEST_IMAGE, [], **container_options(PROFILE, runtime=None, deadline_s=time.time() + 60))
        sandbox = DockerSandbox(base_url=docker_url())
        await sandbox.run(PROFILE, ["true"], files={})
        await sandbox.aclose()
        left = engine.containers.list(all=True, filters={"label": DEADLINE_LABEL}, ignore_removed=True)
        found = [str(container.attrs["Id"]) for container in left]
        assert str(other.attrs["Id"]) in found
        assert str(late.attrs["Id"]) not in found
        other.remove(force=True, v=True)
        engine.close()
