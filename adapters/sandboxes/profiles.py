"""The sandbox profiles that come with the platform; `STANDFAST_SANDBOX_PROFILES` adds to them and replaces them by name."""

from domain.sandbox import MIB, SandboxProfile

DEFAULT_PROFILES: dict[str, SandboxProfile] = {
    profile.name: profile
    for profile in (
        SandboxProfile(name="python-small", backend="monty", wall_s=10.0, cpu_s=5.0, memory_bytes=64 * MIB, disk_bytes=16 * MIB),
        SandboxProfile(name="python-large", backend="monty", wall_s=60.0, cpu_s=30.0, memory_bytes=512 * MIB, output_bytes=256 * 1024),
        SandboxProfile(
            name="python-full", backend="bubblewrap", wall_s=30.0, cpu_s=20.0, memory_bytes=256 * MIB, disk_bytes=128 * MIB, pids=32
        ),
        SandboxProfile(
            name="container", backend="docker", wall_s=60.0, cpu_s=30.0, memory_bytes=256 * MIB, pids=64, image="python:3.11-slim"
        ),
        SandboxProfile(
            name="container-gvisor", backend="gvisor", wall_s=60.0, cpu_s=30.0, memory_bytes=256 * MIB, pids=64, image="python:3.11-slim"
        ),
        SandboxProfile(name="wasm", backend="wasm", wall_s=30.0, cpu_s=20.0, memory_bytes=256 * MIB),
        SandboxProfile(name="mcp-server", backend="bubblewrap", wall_s=3600.0, cpu_s=600.0, memory_bytes=512 * MIB, pids=64),
    )
}
"""`python-*` run generated code: `small` and `large` on the embedded Python subset, `full` on this machine's CPython without network.
The images of `container` and `container-gvisor` are for development: production names its own by digest."""
