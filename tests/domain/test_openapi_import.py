"""OpenAPI documents as tools: classes, parameters, bodies, references, credentials, names, and what is left out."""

from collections.abc import Mapping
from typing import cast

import pytest
from pydantic import JsonValue

from domain.effects import EffectClass, RetryClass
from domain.errors import InvalidDefinition, ToolFailed
from domain.http_tool import HttpToolDeclaration, render
from domain.openapi_import import Imported, ImportOptions, import_openapi
from domain.schemas import validate

Part = Mapping[str, object]
"""A part of a document."""
PET: JsonValue = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "nullable": True, "example": "Rex"},
        "parents": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}},
        "age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        "photoUrl": {"type": "string"},
        "amount": {"type": "number"},
    },
}


def imported(paths: Part, *, options: ImportOptions | None = None, security: object = None, components: Part | None = None) -> Imported:
    """Import a document with these paths."""
    document: dict[str, object] = {
        "openapi": "3.0.3",
        "info": {"title": "Pet Store (v2)", "version": "1"},
        "servers": [{"url": "https://{region}.pets.example/v1/", "variables": {"region": {"default": "eu"}}}],
        "paths": paths,
        "components": {"schemas": {"Pet": PET}, **(components or {})},
        "security": security,
    }
    return import_openapi(cast("JsonValue", document), options or ImportOptions())


def one(
    operation: Part,
    *,
    method: str = "get",
    path: str = "/pets",
    options: ImportOptions | None = None,
    security: object = None,
    components: Part | None = None,
) -> HttpToolDeclaration:
    """Import one operation."""
    [draft] = imported({path: {method: operation}}, options=options, security=security, components=components).tools
    return HttpToolDeclaration.model_validate(draft.declaration)


def needing(*ways: str) -> list[dict[str, list[str]]]:
    """Build security requirements: each way names the schemes it takes together."""
    return [{scheme: list[str]() for scheme in way.split()} for way in ways]


def body(schema: JsonValue, *, kind: str = "application/json", required: bool = True) -> dict[str, JsonValue]:
    """Build a request body."""
    return {"required": required, "content": {kind: {"schema": schema}}}


class TestClasses:
    @pytest.mark.parametrize(
        ("method", "effect", "retry", "key"),
        [
            ("get", EffectClass.READ, RetryClass.IDEMPOTENT, None),
            ("head", EffectClass.READ, RetryClass.IDEMPOTENT, None),
            ("post", EffectClass.WRITE, RetryClass.AT_MOST_ONCE, None),
            ("put", EffectClass.WRITE, RetryClass.AT_MOST_ONCE, None),
            ("patch", EffectClass.WRITE, RetryClass.AT_MOST_ONCE, None),
            ("delete", EffectClass.WRITE, RetryClass.AT_MOST_ONCE, None),
        ],
    )
    def test_are_the_safe_ones(self, method: str, effect: EffectClass, retry: RetryClass, key: str | None) -> None:
        tool = one({}, method=method)
        assert (tool.effect_class, tool.retry_class, tool.key_header) == (effect, retry, key)

    def test_of_an_operation_with_an_idempotency_key_allow_repeats_and_the_key_is_ours(self) -> None:
        tool = one({"parameters": [{"name": "Idempotency-Key", "in": "header", "required": True}]}, method="post")
        assert (tool.retry_class, tool.key_header, tool.input_schema["properties"]) == (RetryClass.IDEMPOTENT, "Idempotency-Key", {})


class TestParameters:
    def test_go_where_they_are_declared_and_optional_ones_may_be_left_out(self) -> None:
        shared = {"name": "pet-id", "in": "path", "required": True, "schema": {"type": "integer"}}
        listed = [
            {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
            {"$ref": "#/components/parameters/Limit"},
            {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
        ]
        [draft] = imported(
            {"/pets/{pet-id}": {"parameters": [shared], "get": {"parameters": listed}}},
            components={"parameters": {"Limit": {"name": "limit", "in": "query", "schema": {"type": "integer"}}}},
        ).tools
        tool = HttpToolDeclaration.model_validate(draft.declaration)
        assert tool.input_schema["required"] == ["pet_id"]
        assert render(tool, {"pet_id": 7}).url == "https://eu.pets.example/v1/pets/7"
        whole = render(tool, {"pet_id": 7, "tag": ["a b", "c"], "limit": 3, "X_Trace": "t1"})
        assert whole.url == "https://eu.pets.example/v1/pets/7?tag=a%20b&tag=c&limit=3"
        assert whole.headers == {"X-Trace": "t1"}
        assert whole.body is None

    def test_of_one_name_in_two_places_are_told_apart(self) -> None:
        listed = [{"name": "id", "in": "path", "required": True}, {"name": "id", "in": "query", "required": True}]
        tool = one({"parameters": listed}, path="/pets/{id}")
        assert tool.input_schema["required"] == ["id", "query_id"]
        assert render(tool, {"id": "a", "query_id": "b"}).url.endswith("/pets/a?id=b")

    def test_may_not_smuggle_a_header_or_another_path(self) -> None:
        tool = one({"parameters": [{"name": "id", "in": "path", "required": True}, {"name": "X-A", "in": "header"}]}, path="/pets/{id}")
        with pytest.raises(ToolFailed, match="printable"):
            render(tool, {"id": "1", "X_A": "a\r\nHost: evil"})
        assert render(tool, {"id": "../admin?x=1"}).url.endswith("/pets/..%2Fadmin%3Fx%3D1")

    @pytest.mark.parametrize(
        ("parameter", "reason"),
        [
            ({"name": "session", "in": "cookie"}, "keep no cookies"),
            ({"name": "Authorization", "in": "header"}, "not an argument's"),
            ({"name": "filter", "in": "query", "style": "deepObject", "schema": {"type": "object"}}, "deepObject"),
            ({"name": "q", "in": "query", "content": {"application/json": {}}}, "itself a document"),
            ({"name": "ids", "in": "query", "explode": False, "schema": {"type": "array"}}, "once for each item"),
            ({"$ref": "#/components/parameters/None"}, "names nothing"),
            ({"$ref": "other.yaml#/x"}, "outside the document"),
        ],
    )
    def test_that_cannot_be_sent_leave_the_operation_out_only_if_they_are_required(self, parameter: Part, reason: str) -> None:
        found = imported({"/a": {"get": {"parameters": [{**parameter, "required": True}]}}, "/b": {"get": {}}})
        assert [(each.operation, reason in each.reason) for each in found.skipped] == [("GET /a", True)]
        if "$ref" not in parameter:
            assert one({"parameters": [parameter]}).input_schema["properties"] == {}


class TestBodies:
    def test_are_one_argument_with_their_schema_and_its_references(self) -> None:
        tool = one({"requestBody": body({"$ref": "#/components/schemas/Pet"})}, method="post")
        assert validate(tool.input_schema, {"body": {"name": None, "parents": [{"name": "Rex", "age": 1}]}}) == []
        assert validate(tool.input_schema, {"body": {"name": "Rex", "age": 0}}) != []
        assert validate(tool.input_schema, {"body": {"parents": [{}], "name": "Rex"}}) != []
        assert render(tool, {"body": {"name": "Rex"}}).body == {"name": "Rex"}

    def test_may_be_a_list_and_may_be_left_out(self) -> None:
        tool = one({"requestBody": body({"type": "array"}, required=False)}, method="post")
        assert (render(tool, {"body": [1, 2]}).body, render(tool, {}).body) == ([1, 2], None)

    def test_that_are_no_json_leave_the_operation_out(self) -> None:
        found = imported({"/a": {"post": {"requestBody": body({}, kind="multipart/form-data")}}, "/b": {"get": {}}})
        assert found.skipped[0].reason == "it takes a body that is not JSON"

    def test_name_what_is_sensitive_in_them(self) -> None:
        tool = one({"requestBody": body({"$ref": "#/components/schemas/Pet"})}, method="post")
        assert (tool.url_arguments, tool.sensitive_arguments) == (("body.photoUrl",), ("body.amount",))


class TestNames:
    def test_are_the_operation_ids_below_the_title(self) -> None:
        paths = {"/a": {"get": {"operationId": "getHTTPStatus-Now"}, "post": {}}, "/b/{id}": {"delete": {"operationId": "123"}}}
        found = [draft.spec.name for draft in imported(paths).tools]
        assert found == ["pet_store_v2.get_http_status_now", "pet_store_v2.post_a"]
        named = imported(paths, options=ImportOptions(prefix="pets", version="2.1.0")).tools[0].spec
        assert (named.name, named.version) == ("pets.get_http_status_now", "2.1.0")

    def test_that_are_the_same_or_too_long_stay_distinct_and_short(self) -> None:
        long = "a" * 100
        found = imported({f"/{n}": {"get": {"operationId": long}} for n in range(3)}).tools
        assert len({draft.spec.name for draft in found}) == 3
        assert max(len(draft.spec.name) for draft in found) <= 64


class TestCredentials:
    SCHEMES = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "inQuery": {"type": "apiKey", "in": "query", "name": "key"},
    }

    def test_are_secrets_by_name_in_headers(self) -> None:
        tool = one({}, security=needing("bearer apiKey"), components={"securitySchemes": self.SCHEMES})
        assert tool.headers == {"Authorization": "Bearer secret:PET_STORE_V2_BEARER", "X-Key": "secret:PET_STORE_V2_API_KEY"}
        assert tool.spec().secrets == ("PET_STORE_V2_BEARER", "PET_STORE_V2_API_KEY")

    def test_that_no_header_carries_give_way_to_others_or_leave_the_operation_out(self) -> None:
        known = {"securitySchemes": self.SCHEMES}
        assert one({"security": needing("inQuery", "apiKey")}, components=known).headers == {"X-Key": "secret:PET_STORE_V2_API_KEY"}
        assert one({"security": needing()}, security=needing("inQuery"), components=known).headers == {}
        with pytest.raises(InvalidDefinition, match="no header carries"):
            one({}, security=needing("inQuery"), components=known)


class TestDocument:
    def test_answers_are_checked_only_where_that_is_asked_for(self) -> None:
        operation = {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}}}}
        assert one(operation).output_schema == {}
        checked = one(operation, options=ImportOptions(check_answers=True)).output_schema
        assert validate(checked, {"name": "Rex"}) == []
        assert validate(checked, {}) != []

    def test_takes_another_address_where_one_is_given(self) -> None:
        assert one({}, options=ImportOptions(base_url="http://localhost:1/x/")).url == "http://localhost:1/x/pets"

    @pytest.mark.parametrize(
        ("document", "said"),
        [
            ([], "mapping"),
            ({"swagger": "2.0"}, "Swagger"),
            ({"openapi": "4.0"}, "3.0 or 3.1"),
            ({"openapi": "3.1.0"}, "no `paths`"),
            ({"openapi": "3.1.0", "paths": {}, "servers": [{"url": "/v1"}]}, "base_url"),
            ({"openapi": "3.1.0", "paths": {}, "servers": [{"url": "https://a.example"}]}, "no operations"),
        ],
    )
    def test_that_is_none_is_refused_with_the_place(self, document: JsonValue, said: str) -> None:
        with pytest.raises(InvalidDefinition, match=said) as caught:
            import_openapi(document, ImportOptions())
        assert (caught.value.where or "").startswith("/")

    def test_with_references_in_a_circle_ends(self) -> None:
        loop = {"parameters": {"A": {"$ref": "#/components/parameters/B"}, "B": {"$ref": "#/components/parameters/A"}}}
        with pytest.raises(InvalidDefinition, match="circle"):
            one({"parameters": [{"$ref": "#/components/parameters/A"}]}, components=loop)
