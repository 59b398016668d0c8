"""What a profile for containers must say, before any of Docker is loaded."""

from domain.sandbox import SandboxProfile


def container_unfit(profile: SandboxProfile, *, pinned: bool, runtime: str | None) -> str | None:
    """Return why no container can give a profile what it asks, or None; `pinned` demands an image by digest (production)."""
    if profile.image is None:
        return "it names no image: profiles of docker and gvisor need one"
    if pinned and not profile.pinned:
        return f"the image {profile.image} is named by a tag, which can be moved: in production name it by digest, as name@sha256:…"
    if profile.network == "allow" and runtime not in (None, "runc"):
        return f"{runtime} has a network stack of its own, which no allow-list can enter: use bubblewrap or docker with runc"
    return None
