"""Sandbox profiles: what fits together."""

import pytest
from pydantic import ValidationError

from domain.sandbox import SandboxProfile


class TestSandboxProfile:
    @pytest.mark.parametrize("host", ["api.example.org", "*.example.org", "api.example.org:8443", "10.0.0.1:80", "localhost"])
    def test_allows_hosts(self, host: str) -> None:
        assert SandboxProfile(name="x", backend="docker", network="allow", egress=(host,)).egress == (host,)

    @pytest.mark.parametrize(
        "host", ["", "*", "https://a", "A.example", "a.example/", "a b", "user@a.example", "*.*.a", "a.example:", "a.example\n"]
    )
    def test_refuses_what_is_no_host(self, host: str) -> None:
        with pytest.raises(ValidationError, match="is no host"):
            SandboxProfile(name="x", backend="docker", network="allow", egress=(host,))

    def test_has_hosts_when_and_only_when_it_has_a_network(self) -> None:
        with pytest.raises(ValidationError, match="needs `egress`"):
            SandboxProfile(name="x", backend="docker", network="allow")
        with pytest.raises(ValidationError, match="the network is off"):
            SandboxProfile(name="x", backend="docker", egress=("a.example",))

    @pytest.mark.parametrize(
        ("image", "pinned"),
        [
            (None, False),
            ("python:3.11-slim", False),
            ("python@sha256:" + "a" * 64, True),
            ("sha256:" + "0" * 64, True),
            ("python@sha256:" + "a" * 63, False),
            ("python@sha256:" + "a" * 64 + "x", False),
            ("sha256-" + "a" * 64, False),
        ],
    )
    def test_knows_an_image_by_digest(self, image: str | None, pinned: bool) -> None:  # noqa: FBT001 - a row of the table
        assert SandboxProfile(name="x", backend="docker", image=image).pinned is pinned

    @pytest.mark.parametrize("field", ["wall_s", "cpu_s", "cpus", "memory_bytes", "disk_bytes", "pids"])
    def test_has_no_limit_of_nothing(self, field: str) -> None:
        with pytest.raises(ValidationError):
            SandboxProfile.model_validate({"name": "x", "backend": "docker", field: 0})
