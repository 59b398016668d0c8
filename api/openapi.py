"""The OpenAPI 3.1 description: FastAPI's, plus what the gate does (keys, roles, Idempotency-Key, problems)."""

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.gate import MUTATIONS
from api.idempotency import KEY_CHARS_MAX
from api.permissions import OPEN_ROUTES, PERMISSIONS
from api.problems import PROBLEM_JSON, Problem

DESCRIPTION = """Durable workflows for AI agents: start runs, decide approvals, complete tasks, read ledgers.

Every error is an RFC 9457 problem with a stable `code`. Every mutation honours `Idempotency-Key`. Times are RFC 3339 UTC, money is
integer micro-USD, lists have opaque cursors."""

Schema = dict[str, Any]  # Any: an OpenAPI document is untyped JSON

IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body give the same answer; the same key with another body is 422.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS_MAX},
}
PROBLEM: Schema = {"description": "Problem", "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def describe(app: FastAPI) -> None:
    """Give the app its description, made once when it is first asked for."""

    def openapi() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi


def _document(app: FastAPI) -> Schema:
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    components = cast("Schema", document.setdefault("components", {}))
    schemas = cast("Schema", components.setdefault("schemas", {}))
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(cast("Schema", problem.pop("$defs", {})))
    schemas["Problem"] = problem
    components["securitySchemes"] = {"api_key": {"type": "http", "scheme": "bearer", "bearerFormat": "sf_<env>_<id>_<secret>"}}
    for path, operations in cast("dict[str, Schema]", document["paths"]).items():
        for method, operation in operations.items():
            _complete(operation, path=path, method=method.upper())
    return document


def _complete(operation: Schema, *, path: str, method: str) -> None:
    """Add what the gate does to one operation."""
    operation["description"] = operation.get("description", "").partition("\n\nRaises:")[0]
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = PROBLEM
    if (method, path) in OPEN_ROUTES:
        return
    operation["security"] = [{"api_key": []}]
    operation["x-roles"] = sorted(PERMISSIONS.get((method, path), ()))
    if method in MUTATIONS:
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
