"""A projection as the parameters of `journal_flush`: free text and what will run are sealed, what lists filter by is not."""

from pydantic import JsonValue

from adapters.postgres.sealed_errors import run_error_place, seal_error
from adapters.postgres.sealing import seal_text
from adapters.postgres.values import json_fields, storable_or_none
from adapters.postgres.vault import Vault
from domain.runs import ApprovalClosure, ApprovalProjection, Projection, TaskProjection
from domain.stores import PayloadCipher

SEALED_OF_APPROVAL = {"title", "nonce", "calls", "unbound", "events", "form", "provenance", "conversation", "answer_ref", "call"}
SEALED_OF_TASK = {"title", "detail", "form"}

ERASED_APPROVAL: dict[str, object] = {"title": "(erased)", "nonce": "", "calls": [], "unbound": []}
ERASED_TASK: dict[str, object] = {"title": "(erased)", "detail": "(erased)"}
"""What an erased row shows in place of its sealed part; the ledger still says what was decided."""


def approval_place(approval: str) -> str:
    """Return where an approval's sealed part lives."""
    return f"approvals/{approval}"


def comment_place(table: str, row: str) -> str:
    """Return where a comment lives; `row` is the approval's or the decision's id."""
    return f"{table}/{row}/comment"


def content_place(decision: str) -> str:
    """Return where the content of a decision lives: amended arguments, an answer to a form."""
    return f"decisions/{decision}/content"


def task_place(task: str) -> str:
    """Return where a task's sealed part lives."""
    return f"tasks/{task}"


async def projection_params(vault: Vault, tenant: str, run: str, projection: Projection) -> list[object]:
    """Return p_status … p_close_task, in SQL's order; an empty projection seals nothing and needs no key.

    Raises:
        InvalidInput: the result has no canonical form.
    """
    if not projection.model_fields_set:
        return [None, False, *(None,) * 12]
    cipher = await vault.ciphers.of_run(tenant, run)
    result = None if projection.result is None else await vault.seal(tenant, run, projection.result)
    return [
        None if projection.status is None else projection.status.value,
        projection.status is not None and projection.status.closed,
        storable_or_none(projection.reason),
        storable_or_none(projection.waits_for),
        seal_error(cipher, tenant, run_error_place(run), projection.error),
        *((None, None) if result is None else (result.ref, result.sealed)),
        *_open_approval(cipher, tenant, projection.open_approval),
        *_close_approval(cipher, tenant, projection.close_approval),
        *_open_task(cipher, tenant, projection.open_task),
        None if projection.close_task is None else json_fields(projection.close_task.model_dump(mode="json")),
    ]


def _split(fields: dict[str, JsonValue], sealed: set[str]) -> tuple[dict[str, JsonValue], dict[str, JsonValue]]:
    return {k: v for k, v in fields.items() if k not in sealed}, {k: v for k, v in fields.items() if k in sealed}


def _open_approval(cipher: PayloadCipher, tenant: str, approval: ApprovalProjection | None) -> tuple[object, object]:
    if approval is None:
        return None, None
    columns, hidden = _split(approval.model_dump(mode="json"), SEALED_OF_APPROVAL)
    columns["tools"] = [tool for call in approval.calls if isinstance(tool := call.get("tool"), str)]
    return json_fields(columns), seal_text(cipher, tenant, approval_place(approval.approval), hidden)


def _close_approval(cipher: PayloadCipher, tenant: str, closure: ApprovalClosure | None) -> tuple[object, object]:
    if closure is None:
        return None, None
    columns, hidden = _split(closure.model_dump(mode="json"), {"comment"})
    if closure.comment is None:
        return json_fields(columns), None
    return json_fields(columns), seal_text(cipher, tenant, comment_place("approvals", closure.approval), hidden["comment"])


def _open_task(cipher: PayloadCipher, tenant: str, task: TaskProjection | None) -> tuple[object, object]:
    if task is None:
        return None, None
    columns, hidden = _split(task.model_dump(mode="json"), SEALED_OF_TASK)
    return json_fields(columns), seal_text(cipher, tenant, task_place(task.task), hidden)
