"""`/v1/ledger` and a run's proofs: signed tree heads, keys, proofs of inclusion and consistency, evidence bundles."""

from enum import Enum

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from api.context import Context
from api.deps import GatewayDeps
from api.evidence import Evidence
from api.proof_views import (
    ConsistencyView,
    EvidenceView,
    HeadList,
    ProofPart,
    ProofView,
    PublicKeysView,
    PublicKeyView,
    Since,
    Sizes,
    TreeHeadPage,
    TreeHeadView,
    TreeSizeInPath,
    head_view,
    inclusion_view,
    key_view,
)
from api.queries import RunIdInPath


class ProofRoutes:
    """Proofs over HTTP. The gateway serves them and gives no verdict: whoever asks recomputes."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._deps = deps

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["ledger"]
        add = app.router.add_api_route
        run, log = "/v1/runs/{run_id}/ledger", "/v1/ledger"
        evidence = {200: {"model": EvidenceView, "description": "The bundle"}}
        add(f"{run}/proof", self.get_proof, methods=["GET"], tags=tags)
        add(f"{run}/bundle", self.get_run_bundle, methods=["GET"], tags=tags, response_model=None, responses={**evidence})
        add(f"{log}/heads", self.list_heads, methods=["GET"], tags=tags)
        add(f"{log}/heads/{{tree_size}}", self.get_head, methods=["GET"], tags=tags)
        add(f"{log}/consistency", self.get_consistency, methods=["GET"], tags=tags)
        add(f"{log}/keys", self.list_keys, methods=["GET"], tags=tags)
        add(f"{log}/keys/rotate", self.rotate_key, methods=["POST"], tags=tags)
        add(f"{log}/bundle", self.get_bundle, methods=["GET"], tags=tags, response_model=None, responses={**evidence})

    async def get_proof(self, run_id: RunIdInPath, where: ProofPart, context: Context) -> ProofView:
        """Show the audit paths of a run's sealed entries, and the signed head they lead to.

        Raises:
            NotFound: there is no such run, or no head of that size.
        """
        tenant, tree = context.principal.tenant, self._deps.tree
        await self._deps.ledger.head(tenant, run_id)
        head = await tree.newest(tenant) if where.size is None else await tree.head(tenant, where.size)
        if head is None:
            return ProofView(run=run_id, head=None, inclusion=(), next_after=None)
        proofs = await tree.inclusions(tenant, run_id, tree_size=head.tree_size, after=where.after, limit=where.limit)
        return ProofView(
            run=run_id,
            head=head_view(head),
            inclusion=tuple(inclusion_view(proof) for proof in proofs),
            next_after=proofs[-1].seq if len(proofs) == where.limit else None,
        )

    async def list_heads(self, where: HeadList, context: Context) -> TreeHeadPage:
        """List the signed tree heads of the tenant's log, newest first."""
        page = await self._deps.tree.heads(context.principal.tenant, limit=where.limit, cursor=where.cursor)
        return TreeHeadPage(items=tuple(head_view(head) for head in page.items), next_cursor=page.next_cursor)

    async def get_head(self, tree_size: TreeSizeInPath, context: Context) -> TreeHeadView:
        """Show the signed head of exactly that many leaves."""
        return head_view(await self._deps.tree.head(context.principal.tenant, tree_size))

    async def get_consistency(self, sizes: Sizes, context: Context) -> ConsistencyView:
        """Show the proof that the log of `to` leaves begins with that of `from`."""
        path = await self._deps.tree.consistency(context.principal.tenant, sizes.from_size, sizes.to_size)
        return ConsistencyView(from_size=sizes.from_size, to_size=sizes.to_size, path=tuple(step.hex() for step in path))

    async def list_keys(self, context: Context) -> PublicKeysView:
        """List the public keys of the tenant's heads, the oldest first."""
        return PublicKeysView(public_keys=tuple(key_view(key) for key in await self._deps.tree.keys(context.principal.tenant)))

    async def rotate_key(self, context: Context) -> PublicKeyView:
        """End the signing key's time now and begin a new key's; heads signed before stay valid under the old one."""
        key = await self._deps.sealer.rotate_key(context.principal.tenant)
        context.kept = True
        return key_view(key)

    async def get_run_bundle(self, run_id: RunIdInPath, where: Since, context: Context) -> StreamingResponse:
        """Export a run's evidence: entries, heads, public keys and proofs, to be verified offline."""
        return await self._bundle(context.principal.tenant, run_id, where.since)

    async def get_bundle(self, where: Since, context: Context) -> StreamingResponse:
        """Export the evidence of the tenant's whole ledger."""
        return await self._bundle(context.principal.tenant, None, where.since)

    async def _bundle(self, tenant: str, run: str | None, since: list[int]) -> StreamingResponse:
        pieces = await Evidence(self._deps, tenant, run).opened(since)
        disposition = f'attachment; filename="evidence-{run or tenant}.json"'
        return StreamingResponse(pieces, media_type="application/json", headers={"Content-Disposition": disposition})
