"""The sandbox profiles that come with the platform; a deployment may add its own."""

from domain.sandbox import SandboxProfile

MIB = 1024 * 1024

DEFAULT_PROFILES: dict[str, SandboxProfile] = {
    profile.name: profile
    for profile in (
        SandboxProfile(name="python-small", backend="monty", wall_s=10.0, cpu_s=5.0, memory_bytes=64 * MIB),
        SandboxProfile(name="python-large", backend="monty", wall_s=60.0, cpu_s=30.0, memory_bytes=512 * MIB, output_bytes=256 * 1024),
        SandboxProfile(name="python-full", backend="bubblewrap", wall_s=30.0, cpu_s=20.0, memory_bytes=256 * MIB, pids=32),
        SandboxProfile(
            name="container", backend="docker", wall_s=60.0, cpu_s=30.0, memory_bytes=256 * MIB, pids=64, image="python:3.11-slim"
        ),
    )
}
"""`python-*` run generated code: `small` and `large` on the embedded Python subset, `full` on this machine's CPython without network."""
