"""The router: each profile to its own backend, and never to another one."""

import pytest

from adapters.sandboxes.bubblewrap import BubblewrapSandbox
from adapters.sandboxes.docker_backend import DockerSandbox
from adapters.sandboxes.profiles import DEFAULT_PROFILES
from adapters.sandboxes.select import SandboxRouter
from domain.errors import InvalidInput, SandboxUnavailable
from domain.sandbox import SandboxProfile
from tests.fake_sandbox import FakeSandbox

SMALL = DEFAULT_PROFILES["python-small"]
FULL = DEFAULT_PROFILES["python-full"]
CONTAINER = DEFAULT_PROFILES["container"]


class TestSandboxRouter:
    async def test_sends_a_run_to_the_backend_its_profile_names(self) -> None:
        monty, bubblewrap = FakeSandbox(), FakeSandbox()
        router = SandboxRouter({"monty": monty, "bubblewrap": bubblewrap})
        await router.run(FULL, ["fake", "x"], files={"x": b"print hello"})
        assert (len(monty.runs), len(bubblewrap.runs)) == (0, 1)

    async def test_never_falls_back_to_another_backend(self) -> None:
        monty = FakeSandbox()
        with pytest.raises(SandboxUnavailable, match="python-full needs bubblewrap, and this worker is configured with monty"):
            await SandboxRouter({"monty": monty}).run(FULL, ["fake", "x"], files={"x": b""})
        assert monty.runs == []

    async def test_says_what_is_missing_for_each_backend(self) -> None:
        router = SandboxRouter({"monty": FakeSandbox(), "docker": FakeSandbox(missing_reason="install Docker")})
        assert await router.available() == {"monty": None, "docker": "install Docker"}

    async def test_refuses_a_profile_before_anything_runs(self) -> None:
        router = SandboxRouter({"docker": FakeSandbox(missing_reason="install Docker")})
        with pytest.raises(SandboxUnavailable, match="container needs docker: install Docker"):
            await router.require(CONTAINER)
        with pytest.raises(SandboxUnavailable, match="configured with docker"):
            await router.require(SMALL)

    async def test_takes_a_profile_whose_backend_is_there(self) -> None:
        await SandboxRouter({"monty": FakeSandbox()}).require(SMALL)

    async def test_closes_its_backends(self) -> None:
        backend = FakeSandbox()
        await SandboxRouter({"monty": backend}).aclose()
        assert backend.closed

    async def test_offers_every_backend_by_default(self) -> None:
        router = SandboxRouter.with_all_backends()
        try:
            found = await router.available()
        finally:
            await router.aclose()
        assert set(found) == {"monty", "bubblewrap", "docker", "gvisor", "wasm"}
        assert (found["monty"], found["wasm"]) == (None, None)


class TestMissingBackends:
    async def test_bubblewrap_says_how_to_install_it(self) -> None:
        with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
            await BubblewrapSandbox(program="no-such-bwrap").run(FULL, ["true"], files={})

    async def test_docker_says_where_it_looked_and_how_to_install_it(self) -> None:
        sandbox = DockerSandbox(base_url="unix:///nowhere/docker.sock")
        with pytest.raises(SandboxUnavailable, match=r"unix:///nowhere/docker.sock .*apt-get install docker"):
            await sandbox.run(CONTAINER, ["true"], files={})

    async def test_docker_refuses_a_profile_without_an_image(self) -> None:
        with pytest.raises(InvalidInput, match="names no image"):
            await DockerSandbox().run(SandboxProfile(name="bare", backend="docker"), ["true"], files={})
