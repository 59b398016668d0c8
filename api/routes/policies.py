"""`/v1/policies`: a tenant's policy sets, which of them decides, and what policy says of an imagined call."""

import asyncio
from enum import Enum

from fastapi import FastAPI

from api.changes import tell
from api.context import Context
from api.deps import GatewayDeps
from api.policy_views import SHIPPED, ExplainBody, PolicyListView, PolicySetBody, PolicySetView, VersionInPath
from api.problems import Mistake, Mistaken
from domain.errors import InvalidInput, StandfastError
from domain.policy import PolicyVerdict
from domain.policy_sets import PolicySet, PolicySetDraft, StoredPolicySet, deciding_set, judged, resolved, shipped_set
from domain.policy_verdicts import decide


class PolicyRoutes:
    """Policies over HTTP."""

    def __init__(self, deps: GatewayDeps) -> None:
        self._ports = deps.policies

    def add_to(self, app: FastAPI) -> None:
        """Add the group's routes."""
        tags: list[str | Enum] = ["policies"]
        add = app.router.add_api_route
        add("/v1/policies", self.list_policies, methods=["GET"], tags=tags)
        add("/v1/policies", self.register_policies, methods=["POST"], tags=tags, status_code=201)
        add("/v1/policies/explain", self.explain_policies, methods=["POST"], tags=tags)
        add("/v1/policies/{version}", self.get_policies, methods=["GET"], tags=tags)
        add("/v1/policies/{version}/activate", self.activate_policies, methods=["POST"], tags=tags)

    async def list_policies(self, context: Context) -> PolicyListView:
        """List the tenant's policy sets, newest first, and say which decides."""
        tenant, shipped = context.principal.tenant, shipped_set(self._ports.shipped)
        items = await self._ports.store.sets(tenant)
        try:
            deciding = await deciding_set(tenant, self._ports.store, self._ports.shipped)
        except InvalidInput as missing:
            deciding = PolicySet(version=f"none: {missing.detail}", text="", sha256="")
        return PolicyListView(items=tuple(items), deciding=deciding.version, sha256=deciding.sha256, shipped=shipped.version)

    async def register_policies(self, body: PolicySetBody, context: Context) -> StoredPolicySet:
        """Register a version of the tenant's policies: it must fit the schema, and its tests must pass. It decides once activated.

        Raises:
            Mistaken: the policies are wrong, or a test fails.
        """
        draft = PolicySetDraft.model_validate(body.model_dump(include={*PolicySetDraft.model_fields}))
        found = resolved(draft, self._ports.shipped)
        problems = await asyncio.to_thread(self._problems, found, body)
        if problems:
            raise Mistaken(InvalidInput(f"policy set {body.version} is not right: {problems[0].detail}"), problems)
        tenant, by = context.principal.tenant, context.principal.id
        stored = await self._ports.store.add(tenant, draft, sha256=found.sha256, by=by)
        context.kept = True
        tell(context, "registered", f"policy set {body.version} ({found.sha256})")
        if body.activate:
            await self._ports.store.choose(tenant, body.version, by=by)
            tell(context, "activated", f"policy set {body.version} ({found.sha256})")
        return await self._ports.store.get(tenant, stored.version)

    async def get_policies(self, version: VersionInPath, context: Context) -> PolicySetView:
        """Show a set with its whole text."""
        if version == SHIPPED:
            return PolicySetView.model_validate(shipped_set(self._ports.shipped).model_dump())
        stored = await self._ports.store.get(context.principal.tenant, version)
        known = stored.model_dump(exclude={"cedar"})
        return PolicySetView.model_validate({**known, "text": resolved(stored, self._ports.shipped).text})

    async def activate_policies(self, version: VersionInPath, context: Context) -> PolicyListView:
        """Let a version decide from now on, an older one too; `shipped` lets the set that comes with the platform decide."""
        tenant = context.principal.tenant
        await self._ports.store.choose(tenant, None if version == SHIPPED else version, by=context.principal.id)
        context.kept = True
        tell(context, "activated", f"policy set {version}")
        return await self.list_policies(context)

    async def explain_policies(self, body: ExplainBody, context: Context) -> PolicyVerdict:
        """Say what policy says of a call, and which policies decide; nothing is called."""
        tenant = context.principal.tenant
        context.kept = True
        policies = await self._named(tenant, body.version)
        return await asyncio.to_thread(decide, policies, body.call.request(tenant), self._ports.engine)

    async def _named(self, tenant: str, version: str | None) -> PolicySet:
        if version is None:
            return await deciding_set(tenant, self._ports.store, self._ports.shipped)
        if version == SHIPPED:
            return shipped_set(self._ports.shipped)
        return resolved(await self._ports.store.get(tenant, version), self._ports.shipped)

    def _problems(self, found: PolicySet, body: PolicySetBody) -> list[Mistake]:
        """What is wrong with the text; if nothing is, which tests fail."""
        try:
            wrong = self._ports.engine.check(found.text)
        except StandfastError as error:
            wrong = [error.detail]
        if wrong:
            return [Mistake(where="/cedar", detail=problem) for problem in wrong[:20]]
        results = [judged(case, decide(found, case.call.request("test"), self._ports.engine)) for case in body.tests]
        return [
            Mistake(where=f"/tests/{place}", detail=f"{result.name}: {result.problem}")
            for place, result in enumerate(results)
            if result.problem is not None
        ]
