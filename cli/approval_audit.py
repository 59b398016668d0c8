"""Who approved exactly what: the verified evidence of a run or a tenant, and the approvals beside it, joined by digest. Loaded when asked.

Who, when, what was said and over which digest comes from ledger entries; the calls come from the approval's row, and count only if their
digest, computed here, is the one in the ledger.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from pydantic import JsonValue

from cli.evidence import Known, UnreadableEvidence, check_bytes, known
from cli.views import compact
from standfast_client import ApprovalDetail
from standfast_verify import BadInput, Bundle, Report, bundle_of
from standfast_verify.bundle import Entry, Inclusion
from standfast_verify.canonical import canonical_text
from standfast_verify.merkle import leaf_hash, node_hash
from standfast_verify.reading import parsed

__all__ = ["Audit", "UnreadableEvidence", "audit_of", "known", "lines", "to_json"]

DIGEST_DOMAIN = b"standfast:approval:v1\0"
CALLED = ("agent:tool:called", "agent:tool:simulated", "agent:tool:failed")
ERASED = "erased"
OPENED = "workflow:approval:opened"


@dataclass(frozen=True)
class Proven:
    """One ledger entry with its place in the signed log; `proof` is None while it is not sealed."""

    run: str
    seq: int
    kind: str
    at: str
    principal: str
    step: str | None
    data: dict[str, JsonValue]
    hash: str
    proof: Inclusion | None


@dataclass(frozen=True)
class Approved:
    """One approval: its row, its entries in their order, the bound calls that ran, and the digest of the calls shown."""

    row: ApprovalDetail
    entries: list[Proven]
    ran: list[Proven]
    digest: str

    @property
    def digests(self) -> list[str]:
        """The digests that the ledger names for it, each once."""
        found = [str(entry.data["digest"]) for entry in self.entries if entry.data.get("digest")]
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Audit:
    """The approvals of a run, or with None of the whole tenant, over verified evidence; `gone` are those that only the ledger knows."""

    tenant: str
    run: str | None
    report: Report
    approvals: list[Approved] = field(default_factory=list[Approved])
    gone: list[str] = field(default_factory=list[str])

    @property
    def problems(self) -> list[str]:
        """What is wrong: in the evidence, or between it and the calls shown."""
        found = [str(problem.reason) for problem in self.report.problems]
        for each in self.approvals:
            if not each.entries:
                found.append(f"the ledger says nothing of approval {each.row.approval}")
            elif each.digest not in (ERASED, *each.digests[-1:]):
                found.append(f"the calls shown for approval {each.row.approval} are not those of the digest in the ledger")
        return found + [f"the ledger opened approval {approval}, and the inbox does not have it any more" for approval in self.gone]


def audit_of(
    content: bytes, run: str | None, approvals: Sequence[ApprovalDetail], given: Known, *, is_gone: Callable[[str], bool] | None = None
) -> Audit:
    """Check the evidence of a run, or with None of a tenant, and join the approvals to it.

    `is_gone` is asked of each approval that the evidence has and `approvals` have not: it may have been opened since they were listed.
    Without it they are not all that there should be. Erasing keeps an approval's row, so none is gone by that.

    Raises:
        UnreadableEvidence: it is none, or none of the remembered heads is of its tenant.
    """
    report = check_bytes(content, given)
    try:
        bundle = bundle_of(parsed(content.decode(errors="replace")))
    except BadInput as error:
        raise UnreadableEvidence(str(error)) from error
    entries = _proven(bundle)
    joined = [_approved(each, bundle.tenant, entries.get(each.run, [])) for each in approvals]
    listed = {each.approval for each in approvals}
    opened = [str(entry.data.get("approval")) for each in entries.values() for entry in each if entry.kind == OPENED]
    unlisted = [approval for approval in dict.fromkeys(opened) if approval not in listed]
    return Audit(bundle.tenant, run, report, joined, [each for each in unlisted if is_gone is not None and is_gone(each)])


def _proven(bundle: Bundle) -> dict[str, list[Proven]]:
    """Return the entries by run."""
    proofs = {(each.run, each.seq): each for each in (bundle.inclusion or _computed(bundle))}
    found: dict[str, list[Proven]] = {}
    for entry in bundle.entries:
        found.setdefault(entry.run, []).append(_entry(entry, proofs.get((entry.run, entry.seq))))
    return found


def _computed(bundle: Bundle) -> Iterator[Inclusion]:
    """Yield the audit paths under the newest head of a bundle that has every leaf instead of them (RFC 6962 §2.1.1)."""
    size = max((head.tree_size for head in bundle.tree_heads), default=0)
    leaves = {entry.leaf_index: entry for entry in bundle.entries if entry.leaf_index is not None and entry.leaf_index < size}
    if len(leaves) < size:
        return  # the report says which leaves are missing
    levels = [[leaf_hash(leaves[place].hash) for place in range(size)]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [node_hash(left, right) for left, right in zip(below[::2], below[1::2], strict=False)]
        levels.append(pairs + below[len(pairs) * 2 :])
    for place, entry in leaves.items():
        yield Inclusion(entry.run, entry.seq, place, size, _path(levels, place))


def _path(levels: list[list[bytes]], place: int) -> tuple[bytes, ...]:
    """Return the siblings on a leaf's way up; a node without one is its own parent."""
    places = [(level, (place >> height) ^ 1) for height, level in enumerate(levels)]
    return tuple(level[sibling] for level, sibling in places if sibling < len(level))


def _entry(entry: Entry, proof: Inclusion | None) -> Proven:
    """Decode an entry; one that is no JSON is a problem of the report, and has nothing to say here."""
    try:
        body = cast("dict[str, JsonValue]", json.loads(entry.body))
    except ValueError:
        body = {}
    data, step = body.get("data"), body.get("step")
    return Proven(
        run=entry.run,
        seq=entry.seq,
        kind=str(body.get("kind", "")),
        at=str(body.get("at", "")),
        principal=str(body.get("principal", "")),
        step=step if isinstance(step, str) else None,
        data=data if isinstance(data, dict) else {},
        hash=entry.hash.hex(),
        proof=proof,
    )


def _approved(row: ApprovalDetail, tenant: str, entries: list[Proven]) -> Approved:
    own = [entry for entry in entries if entry.data.get("approval") == row.approval]
    first = own[0].seq if own else 0
    steps = {call.step for call in row.calls}
    ran = [entry for entry in entries if entry.kind in CALLED and entry.step in steps and entry.seq > first]
    return Approved(row, own, ran, digest_of(row, tenant))


def digest_of(row: ApprovalDetail, tenant: str) -> str:
    """Return the digest of the calls shown, computed here (DESIGN §7), or `erased` where they are."""
    if not row.nonce:
        return ERASED
    said: dict[str, JsonValue] = {
        "tenant": tenant,
        "run": row.run,
        "approval": row.approval,
        "step": row.step,
        "visit": row.visit,
        "nonce": row.nonce,
        "calls": [call.model_dump(mode="json", exclude={"large"} if call.large is None else None) for call in row.calls],
    }
    return hashlib.sha256(DIGEST_DOMAIN + canonical_text(said).encode()).hexdigest()


def to_json(audit: Audit) -> dict[str, JsonValue]:
    """Return the audit for programs; each entry has the audit path that proves it under the head of `evidence`."""
    return {
        "tenant": audit.tenant,
        "run": audit.run,
        "ok": not audit.problems,
        "problems": cast("list[JsonValue]", audit.problems),
        "approvals": [_approved_json(each) for each in audit.approvals],
        "evidence": cast("dict[str, JsonValue]", audit.report.to_json()),
    }


def _approved_json(each: Approved) -> JsonValue:
    row = each.row
    return {
        "approval": row.approval,
        "run": row.run,
        "title": row.title,
        "state": row.state,
        "requester": row.requester,
        "calls": [call.model_dump(mode="json") for call in row.calls],
        "digest_of_calls": each.digest,
        "digests_in_ledger": cast("list[JsonValue]", each.digests),
        "decided_by": row.decided_by,
        "decided_at": row.decided_at,
        "comment": row.comment,
        "entries": [_proven_json(entry) for entry in each.entries],
        "ran": [_proven_json(entry) for entry in each.ran],
    }


def _proven_json(entry: Proven) -> JsonValue:
    proof: JsonValue = None
    if entry.proof is not None:
        path: list[JsonValue] = [step.hex() for step in entry.proof.path]
        proof = {"leaf_index": entry.proof.leaf_index, "tree_size": entry.proof.tree_size, "path": path}
    same: dict[str, JsonValue] = {name: getattr(entry, name) for name in ("seq", "kind", "at", "principal", "step", "data", "hash")}
    return {**same, "proof": proof}


def lines(audit: Audit) -> list[str]:
    """Return what the screen says."""
    whose = f"tenant {audit.tenant}" if audit.run is None else f"run {audit.run} of tenant {audit.tenant}"
    shown = [f"{whose}: {len(audit.approvals)} approval(s)"]
    for each in audit.approvals:
        shown += ["", *_approved_lines(each)]
    report = audit.report
    if audit.problems:
        return [*shown, "", *(f"NOT VERIFIED: {problem}" for problem in audit.problems)]
    if not report.heads:
        return [*shown, "", *(f"not sealed yet: {note}" for note in report.notes)]
    signed = datetime.fromtimestamp(report.signed_at_us / 1_000_000, UTC).isoformat(timespec="seconds")
    keys = "keys you trust" if report.trusted else "the gateway's own keys; give yours with --trust KEYFILE"
    sealed = f"{report.sealed} of {report.entries} entries proven in the signed log of {report.tree_size} leaves, root {report.root_hash}"
    return [*shown, "", f"verified: {sealed}", f"  signed {signed} by {keys}", *(f"  note: {note}" for note in report.notes)]


def _approved_lines(each: Approved) -> list[str]:
    row = each.row
    shown = [f"{row.approval}  {row.state}  {row.title}", f"  asked for by {row.requester} in {row.run}"]
    shown.extend(f"  call {call.step}: {call.tool} {call.version} {compact(dict(call.arguments))}" for call in row.calls)
    if each.digest == ERASED:
        shown.append("  the calls are erased; the ledger keeps their digest")
    else:
        same = "as in the ledger" if each.digest in each.digests[-1:] else "NOT the one in the ledger"
        shown.append(f"  digest of these calls: {each.digest}, {same}")
    shown += [_entry_line(entry) for entry in each.entries]
    shown += [f'  comment of {row.decided_by}: "{row.comment}"'] if row.comment else []
    return shown + [f"{_entry_line(entry)} (ran {entry.step})" for entry in each.ran]


def _entry_line(entry: Proven) -> str:
    _, _, action = entry.kind.partition(":")
    said = [str(entry.data[name]) for name in ("verdict", "then") if entry.data.get(name)]
    acting = f" in the place of {entry.data['acting_for']}" if entry.data.get("acting_for") else ""
    digest = f", digest {entry.data['digest']}" if entry.data.get("digest") else ""
    place = "not sealed yet" if entry.proof is None else f"leaf {entry.proof.leaf_index} of {entry.proof.tree_size}"
    words = f"{action}: {', '.join(said)}" if said else action
    return f"  {entry.at}  {words} by {entry.principal}{acting}{digest}  [entry {entry.seq}, {place}]"
