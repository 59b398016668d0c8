"""`verify`, `ledger export heads keys`, `keys rotate-signing`."""

import sys
from pathlib import Path
from typing import Annotated, Protocol, cast

import typer
from pydantic import JsonValue

from cli import views
from cli.commands.runs import JsonOption
from cli.connection import open_client
from cli.exit_codes import ExitCode
from cli.late import load
from cli.screen import clean, note, say, show_json, show_table
from standfast_client import Standfast

HEAD_COLUMNS = ("LEAVES", "SIGNED", "KEY", "ROOT")
KEY_COLUMNS = ("KEY", "FROM", "TO")

RunOrNone = Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run's id.")]
TenantOption = Annotated[bool, typer.Option("--tenant", help="The tenant's whole ledger instead of one run; for auditors and admins.")]
TrustOption = Annotated[
    list[Path] | None, typer.Option("--trust", metavar="KEYFILE", help="Public keys you got by another way; may be given several times.")
]
HeadOption = Annotated[
    list[Path] | None,
    typer.Option("--head", metavar="FILE", help="Tree heads you kept from earlier, or an anchor's file; may be given several times."),
]


class Report(Protocol):
    """What the verifier found."""

    @property
    def problems(self) -> list[object]:
        """What is wrong."""
        ...


class Known(Protocol):
    """Keys and heads that the caller brought."""

    def newest_of(self, tenant: str) -> "Known":
        """Return the same with the newest heads of a tenant."""
        ...

    @property
    def sizes(self) -> list[int]:
        """Sizes of the heads."""
        ...


class EvidenceModule(Protocol):
    """What `cli.evidence` has."""

    UnreadableEvidence: type[Exception]

    def known(self, trust: list[Path], heads: list[Path]) -> Known:
        """Read files of keys and heads."""
        ...

    def check_file(self, path: Path, given: Known) -> Report:
        """Check a bundle file."""
        ...

    def check_bytes(self, content: bytes, given: Known) -> Report:
        """Check a downloaded bundle."""
        ...

    def lines(self, report: Report) -> list[str]:
        """Return what the screen says."""
        ...

    def sealing_lines(self, report: Report) -> list[str]:
        """Return what a run's evidence adds."""
        ...

    def as_json(self, report: Report) -> dict[str, JsonValue]:
        """Return the report for programs."""
        ...


def verify(
    ctx: typer.Context,
    run: RunOrNone = None,
    *,
    tenant: TenantOption = False,
    bundle: Annotated[Path | None, typer.Option(metavar="FILE", help="An exported bundle instead; nothing is downloaded.")] = None,
    trust: TrustOption = None,
    head: HeadOption = None,
    json_output: JsonOption = False,
) -> None:
    """Recompute a ledger here, and find its entries in the signed log; the gateway is not asked for a verdict.

    Raises:
        typer.BadParameter: Not exactly one of RUN, --tenant and --bundle.
        typer.Exit: With code 5 when something is wrong, 2 when a file cannot be read.
    """
    if sum((run is not None, tenant, bundle is not None)) != 1:
        raise typer.BadParameter("give a RUN, or --tenant, or --bundle FILE")
    checker = cast("EvidenceModule", load("cli.evidence"))
    try:
        given = checker.known(trust or [], head or [])
        if run is not None:
            ok = _verify_run(open_client(ctx), run, checker, given, json_output=json_output)
        elif bundle is not None:
            ok = _show(checker, checker.check_file(bundle, given), json_output=json_output)
        else:
            client = open_client(ctx)
            given = _newest(client, given)
            ok = _show(checker, checker.check_bytes(client.ledger.bundle(since=given.sizes), given), json_output=json_output)
    except checker.UnreadableEvidence as error:
        note(clean(f"error: {error}"))
        raise typer.Exit(ExitCode.USAGE) from error
    if not ok:
        raise typer.Exit(ExitCode.NOT_VERIFIED)


def _verify_run(client: Standfast, run: str, checker: EvidenceModule, given: Known, *, json_output: bool) -> bool:
    """Check a run's chain and columns, then its place in the signed log; each by code that shares nothing with the other."""
    verdict = client.ledger.verify(run)
    given = _newest(client, given)
    report = checker.check_bytes(client.ledger.bundle(run, since=given.sizes), given) if verdict.ok else None
    if json_output:
        shown = views.verdict_json(verdict)
        show_json({**shown, "sealing": None if report is None else checker.as_json(report)})
    else:
        for line in views.verdict_lines(verdict) + ([] if report is None else checker.sealing_lines(report)):
            say(clean(line))
    return verdict.ok and (report is None or not report.problems)


def _newest(client: Standfast, given: Known) -> Known:
    """Return what the caller brought with the newest heads of the caller's tenant; before its first head there are none to compare."""
    newest = client.ledger.heads(limit=1)
    return given.newest_of(newest[0].tenant) if newest else given


def _show(checker: EvidenceModule, report: Report, *, json_output: bool) -> bool:
    if json_output:
        show_json(checker.as_json(report))
    else:
        for line in checker.lines(report):
            say(clean(line))
    return not report.problems


def export(
    ctx: typer.Context,
    run: RunOrNone = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the bundle; - for standard output.")],
    tenant: TenantOption = False,
    since: Annotated[
        list[int] | None, typer.Option(help="Leaves of a head you remember, from which the bundle proves growth; several times.", min=1)
    ] = None,
) -> None:
    """Export evidence, to be verified offline: entries, heads, public keys and proofs.

    Raises:
        typer.BadParameter: Not exactly one of RUN and --tenant, or the file cannot be written.
    """
    if (run is None) is not tenant:
        raise typer.BadParameter("give a RUN or --tenant")
    content = open_client(ctx).ledger.bundle(run, since=since or [])
    if str(output) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written: {error.strerror or error}") from error
    note(f"{output}: {len(content)} bytes; check it with `standfast verify --bundle {output}` or `standfast-verify bundle {output}`")


def heads(
    ctx: typer.Context,
    *,
    limit: Annotated[int, typer.Option(help="At most so many heads, the newest first.", min=1)] = 20,
    json_output: JsonOption = False,
) -> None:
    """List signed tree heads; keep one (--json) outside, and `verify --head` finds a log that was rewritten since."""
    found = open_client(ctx).ledger.heads(limit=limit)
    if json_output:
        show_json(found)
        return
    rows = [(str(head.tree_size), views.instant_of(head.timestamp_us), head.key_id, head.root_hash) for head in found]
    show_table(HEAD_COLUMNS, rows, nothing="no head is signed yet")


def keys(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """List the public keys that sign tree heads; kept outside (--json), they are what `verify --trust` wants."""
    found = open_client(ctx).ledger.signing_keys()
    if json_output:
        show_json({"public_keys": [key.model_dump(mode="json") for key in found]})
        return
    shown = [(key, "" if key.valid_to_us is None else views.instant_of(key.valid_to_us)) for key in found]
    show_table(
        KEY_COLUMNS, [(key.key_id, views.instant_of(key.valid_from_us), until) for key, until in shown], nothing="no key is in use yet"
    )


def rotate_signing(ctx: typer.Context, *, json_output: JsonOption = False) -> None:
    """End the signing key of tree heads now and begin a new one; for admins."""
    key = open_client(ctx).ledger.rotate_signing_key()
    if json_output:
        show_json(key)
        return
    say(key.key_id)
    note("heads are signed with this key from now on; hand it to whoever verifies: `standfast ledger keys --json`")
