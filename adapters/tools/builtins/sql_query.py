"""The tool `sql.query`: one reading statement on a database that the operator declared."""

from pydantic import JsonValue

from domain.databases import QUERY_CHARS_MAX, ROWS_MAX, STATEMENT_S, QueryDatabases
from domain.effects import EffectClass
from domain.errors import ToolFailed
from domain.tools import ToolCall, ToolSpec


class SqlQuery:
    """`sql.query` 1.0.0."""

    def __init__(self, databases: QueryDatabases | None) -> None:
        self._databases = databases

    @property
    def spec(self) -> ToolSpec:
        """What the tool declares."""
        return ToolSpec(
            name="sql.query",
            version="1.0.0",
            description=(
                "Runs one reading SQL statement on a declared PostgreSQL database and returns its rows. Values stand as $1, $2 and come "
                "from `parameters`: never write them into the statement."
            ),
            input_schema={
                "type": "object",
                "properties": {
                    "database": {"type": "string", "minLength": 1, "maxLength": 64},
                    "query": {"type": "string", "minLength": 1, "maxLength": QUERY_CHARS_MAX},
                    "parameters": {"type": "array", "maxItems": 50, "items": {"type": ["string", "number", "boolean", "null"]}},
                    "max_rows": {"type": "integer", "minimum": 1, "maximum": ROWS_MAX},
                },
                "required": ["database", "query"],
                "additionalProperties": False,
            },
            output_schema={
                "type": "object",
                "properties": {
                    "columns": {"type": "array", "items": {"type": "string"}},
                    "rows": {"type": "array", "items": {"type": "array"}},
                    "truncated": {"type": "boolean"},
                },
                "required": ["columns", "rows", "truncated"],
                "additionalProperties": False,
            },
            effect_class=EffectClass.READ,
            timeout_s=STATEMENT_S + 10.0,
            sensitive_arguments=("query",),
            docs="docs/tools-builtin.md#sqlquery",
        )

    async def call(self, call: ToolCall) -> JsonValue:
        """Run it.

        Raises:
            ToolFailed: it errs or writes.
            ToolUnavailable: the database does not answer.
        """
        if self._databases is None or not self._databases.names(call.tenant):
            raise ToolFailed("sql.query has no database: declare one in STANDFAST_QUERY_DATABASES")
        given, bound = call.arguments.get("parameters"), call.arguments.get("max_rows")
        result = await self._databases.query(
            call.tenant,
            str(call.arguments["database"]),
            str(call.arguments["query"]),
            given if isinstance(given, list) else [],
            rows_max=bound if isinstance(bound, int) else 100,
            deadline_s=min(call.deadline_s, STATEMENT_S),
        )
        return result.model_dump(mode="json")
