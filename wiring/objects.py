"""The object store that the settings name."""

from adapters.objects.object_store import local_objects, objects_at
from adapters.postgres.vault import PayloadLimits
from domain.objects import ObjectStore
from wiring.settings import PayloadSettings, PlatformSettings


def build_objects(platform: PlatformSettings, payloads: PayloadSettings) -> ObjectStore | None:
    """Return the store; None in production without a URL, where each machine's own folder would be the wrong place.

    Raises:
        InvalidInput: the URL names no store of a known kind.
    """
    if payloads.objects_url is not None:
        return objects_at(payloads.objects_url)
    return None if platform.environment == "production" else local_objects(platform.state_dir.absolute() / "objects")


def payload_limits(payloads: PayloadSettings) -> PayloadLimits:
    """Return the limits that the settings say."""
    return PayloadLimits(inline_bytes=payloads.inline_bytes)
