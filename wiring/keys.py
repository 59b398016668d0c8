"""Keys that this installation derives from its master key, one per purpose."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

import uuid_utils

from adapters.codec.data_keys import derive_key
from adapters.codec.head_keys import DerivedHeadKeys
from adapters.codec.master_key import load_or_create_master_key
from domain.ids import format_id


class InstallationKeys:
    """The master key and what is derived from it; the file is made at first use, mode 0600."""

    def __init__(self, path: Path) -> None:
        self.master = load_or_create_master_key(path)
        self.pepper = derive_key(self.master, "api-key-pepper")
        self.attestation = derive_key(self.master, "decision-attestation")
        self.run_ids = derive_key(self.master, "run-ids")
        self.subjects = derive_key(self.master, "subject-pseudonyms")
        self.app_password = derive_key(self.master, "database-app-role").hex()
        self.heads = DerivedHeadKeys(self.master)
        self.review_forms = derive_key(self.master, "review-forms")
        self.review_links = DerivedHeadKeys(self.master, purpose="review-link-signing")


def new_id(prefix: str) -> str:
    """Return a new id over a UUIDv7."""
    return format_id(prefix, uuid_utils.uuid7().bytes)


def new_token() -> str:
    """Return 32 random hex characters: an attempt's lease token."""
    return secrets.token_hex(16)


def clock_text() -> str:
    """Return this process's time as RFC 3339 UTC with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
