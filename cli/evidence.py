"""Checks evidence here, by the stand-alone verifier. Loaded only when something is checked: signatures take time to import."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import JsonValue

from standfast_verify import BadInput, Bundle, PublicKey, Report, TreeHead, bundle_of, read_bundle, read_heads, read_keys, verify_bundle
from standfast_verify.command import report_lines
from standfast_verify.reading import parsed

SINCE_MAX = 20
"""Most heads that the gateway joins one bundle with."""


class UnreadableEvidence(Exception):
    """A file cannot be read as what it should be; the message says where."""


@dataclass(frozen=True)
class Known:
    """What the caller brings: trusted keys (None: those of the bundle), heads from earlier, and what was left out of their files."""

    keys: dict[str, PublicKey] | None
    heads: list[TreeHead]
    notes: list[str]

    def newest_of(self, tenant: str) -> "Known":
        """Return the same with only the newest heads of a tenant: as many as one bundle is joined with."""
        heads = sorted((head for head in self.heads if head.tenant == tenant), key=lambda head: head.tree_size)
        return replace(self, heads=heads[-SINCE_MAX:])

    @property
    def sizes(self) -> list[int]:
        """Sizes of the heads; what is exported with them proves that the log grew out of them."""
        return sorted({head.tree_size for head in self.heads if head.tree_size > 0})


def known(trust: Sequence[Path], heads: Sequence[Path]) -> Known:
    """Read files of keys and heads.

    Raises:
        UnreadableEvidence: one of them is none.
    """
    try:
        remembered = read_heads(heads)
        return Known(read_keys(trust) if trust else None, remembered.heads, remembered.notes)
    except BadInput as error:
        raise UnreadableEvidence(str(error)) from error


def check_file(path: Path, given: Known) -> Report:
    """Check a bundle file.

    Raises:
        UnreadableEvidence: it is none, or none of the remembered heads is of its tenant.
    """
    try:
        return _checked(read_bundle(path), given)
    except BadInput as error:
        raise UnreadableEvidence(str(error)) from error


def check_bytes(content: bytes, given: Known) -> Report:
    """Check a bundle that was downloaded.

    Raises:
        UnreadableEvidence: it is none, or none of the remembered heads is of its tenant.
    """
    try:
        return _checked(bundle_of(parsed(content.decode(errors="replace"))), given)
    except BadInput as error:
        raise UnreadableEvidence(str(error)) from error


def _checked(bundle: Bundle, given: Known) -> Report:
    """An anchor's file holds the heads of all tenants; a bundle is compared with its own.

    Raises:
        UnreadableEvidence: there are heads, and none of them is of the bundle's tenant.
    """
    heads = [head for head in given.heads if head.tenant == bundle.tenant]
    if given.heads and not heads:
        raise UnreadableEvidence(f"none of the {len(given.heads)} remembered heads is of tenant {bundle.tenant}")
    report = verify_bundle(bundle, trusted=given.keys, remembered=heads)
    report.notes += given.notes
    return report


def lines(report: Report) -> list[str]:
    """Return what the screen says."""
    return report_lines(report)


def sealing_lines(report: Report) -> list[str]:
    """Return what a run's evidence adds to the verdict over its chain."""
    if report.problems:
        return report_lines(report)
    if not report.heads:
        return [f"not sealed yet: {note}" for note in report.notes]
    keys = "keys you trust" if report.trusted else "the gateway's own keys; give yours with --trust KEYFILE"
    shown = [
        f"sealed: {report.sealed} of {report.entries} entries are in the signed log of {report.tree_size} leaves, root {report.root_hash}"
    ]
    shown.append(f"  signed by {keys}")
    if report.remembered:
        shown.append(f"  {report.remembered} remembered head(s) are of this log")
    return [*shown, *(f"  note: {note}" for note in report.notes)]


def as_json(report: Report) -> dict[str, JsonValue]:
    """Return the report for programs."""
    return report.to_json()
