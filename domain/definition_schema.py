"""The JSON Schema of the definition format, for editors; `docs/definition.schema.json` is this, written down. Pure.

It completes keys and catches slips while typing. What it cannot say (types in expressions, tools, references) the reader checks.
"""

from typing import cast

from pydantic import JsonValue

from domain.definition_keywords import CALL_KEYS, NAME_CHARS_MAX, QUESTIONS, QUORUM_MAX, TEMPERATURE_MAX
from domain.fallbacks import FALLBACKS_MAX, REASONS, USUAL

Schema = dict[str, JsonValue]

_EXPRESSION: Schema = {"type": "string", "pattern": r"^\$\{[\s\S]*\}$", "description": "One whole CEL expression, `${ … }`."}
_DURATION: Schema = {
    "type": "string",
    "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$",
    "minLength": 2,
    "description": "Such as 1h30m.",
}
_TEXT: Schema = {"type": "string", "minLength": 1}
_ARGUMENTS: Schema = {"type": ["object", "string"], "description": "Arguments by name; values may hold `${ }`."}
_TOOL: Schema = {
    "type": "string",
    "pattern": r"^[a-z][a-z0-9_.]*(@.+)?$",
    "description": "A tool's name, with a range of versions: bank.pay@^1.",
}


_EXECUTION: Schema = {
    "enum": ["segment", "steps"],
    "description": "How consecutive calls run: several in one activity, or each in its own. Without it, quick reads form segments.",
}


_BUDGET: Schema = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "usd": {"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d{1,6})?$"}, {"type": "integer", "minimum": 0}]},
        "tokens": {"type": "integer", "minimum": 0},
        "seconds": {"type": "integer", "minimum": 0},
    },
    "description": "What effects may use at most: dollars, tokens in and out, seconds that they take.",
}


def definition_schema() -> Schema:
    """Return the JSON Schema (2020-12) of a definition file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Standfast definition, format 1",
        **_object(
            {
                "standfast": {"const": 1},
                "name": {"type": "string", "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "maxLength": NAME_CHARS_MAX},
                "version": {"type": "string", "description": "A full semantic version; a registered one never changes."},
                "description": _TEXT,
                "input": _object({"schema": _ref("jsonSchema")}, required=["schema"]),
                "config": _object({"schema": _ref("jsonSchema"), "defaults": {"type": "object"}}, required=["schema"]),
                "do": _ref("steps"),
                "output": {"description": "The run's result; may hold `${ }`."},
                "subject": {
                    "type": "string",
                    "description": "Whose data a run holds, such as `${ input.claim.passenger_id }`; reads `input` and `config`.",
                },
                "execution": _EXECUTION,
                "budget": _BUDGET,
                "doubts": _object(_terms()),
            },
            required=["standfast", "name", "version", "do"],
        ),
        "$defs": {
            "jsonSchema": {"type": "object", "description": "A JSON Schema, or {$ref: file.json} of the bundle."},
            "steps": {"type": "array", "minItems": 1, "items": _named("step")},
            "step": _step(),
            "agent": _agent(),
            "approve": _approve(),
            "task": _task(),
            "listen": _listen(),
            "case": _object({"when": _EXPRESSION, "do": _ref("steps")}, required=["do"]),
            "compensate": _object(
                {"call": _TOOL, "with": _ARGUMENTS, "if_unknown": {"enum": ["ask", "compensate"], "default": "ask"}, "retry": _retry()},
                required=["call"],
            ),
            "saga": _saga(),
        },
    }


def _object(properties: Schema, *, required: list[str] | None = None) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**schema, "required": cast("JsonValue", required)} if required else schema


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _named(name: str) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "patternProperties": {"^[a-z][a-z0-9_]*$": _ref(name)},
        "additionalProperties": False,
    }


def _step() -> Schema:
    keywords: Schema = {
        "agent": _ref("agent"),
        "call": _TOOL,
        "approve": _ref("approve"),
        "task": _ref("task"),
        "listen": _ref("listen"),
        "saga": {"anyOf": [_ref("steps"), _ref("saga")]},
        "set": {"description": "A value; may hold `${ }`."},
        "switch": {"type": "array", "minItems": 1, "items": _named("case")},
        "do": _ref("steps"),
    }
    common: Schema = {
        "if": _EXPRESSION,
        "timeout": _DURATION,
        "retry": _retry(),
        "summary": _TEXT,
        "execution": _EXECUTION,
        "budget": _BUDGET,
        "output": _object({"as": {"description": "The step's output, made from `self.output`."}}),
        "with": _ARGUMENTS,
        "compensate": _ref("compensate"),
        "pivot": {"type": "boolean", "default": False, "description": "Before it a saga can be undone, after it everything is done."},
        "retriable": {"type": "boolean", "default": False, "description": "After the pivot: tried until done, or settled by a person."},
    }
    exactly_one: list[JsonValue] = [{"required": [keyword]} for keyword in keywords]
    return {**_object({**keywords, **common}), "oneOf": exactly_one, "dependentRequired": {word: ["call"] for word in CALL_KEYS}}


def _retry() -> Schema:
    return _object(
        {
            "max_attempts": {"type": "integer", "minimum": 1, "maximum": 10, "default": 5},
            "delay": _DURATION,
            "backoff": {"type": "number", "minimum": 1, "default": 2},
            "max_delay": _DURATION,
        }
    )


def _saga() -> Schema:
    return _object(
        {
            "steps": _ref("steps"),
            "mode": {"enum": ["sequential", "parallel"], "default": "sequential"},
            "timeout": _DURATION,
            "on_failure": {"enum": ["await", "cancel"], "default": "await", "description": "What becomes of steps beside one that failed."},
            "undo": {"enum": ["reverse", "parallel"], "default": "reverse"},
        },
        required=["steps"],
    )


def _agent() -> Schema:
    """An agent that is written here, or one that is registered under a name."""
    given: JsonValue = {"description": "What the model is given; may hold `${ }`."}
    uses = {**_TEXT, "description": "name or name@range of a registered agent."}
    with_: JsonValue = {"type": "object", "description": "What its instructions read; may hold `${ }`."}
    registered = _object({"uses": uses, "input": given, "with": with_, "attachments": _attachments()}, required=["uses"])
    return {"anyOf": [_written_agent(), registered]}


def _written_agent() -> Schema:
    return _object(
        {
            "model": {"type": "string", "description": "provider/name, an alias, or ${ config.model }; without it the alias `default`."},
            "instructions": {"anyOf": [_TEXT, _object({"text": _TEXT}, required=["text"])]},
            "input": {"description": "What the model is given; may hold `${ }`."},
            **_model_options(),
            "tools": {"type": "array", "items": _TOOL, "uniqueItems": True},
            "max_turns": {"type": "integer", "minimum": 1, "maximum": 64, "default": 8},
            "max_output_tokens": {"type": "integer", "minimum": 1, "default": 4096},
            "output": _object({"schema": _ref("jsonSchema")}, required=["schema"]),
        },
        required=["instructions"],
    )


def _model_options() -> Schema:
    """How an agent's models are asked."""
    reasons: Schema = {"type": "array", "items": {"enum": [*REASONS]}, "minItems": 1, "default": [*USUAL]}
    one: Schema = {"anyOf": [_TEXT, _object({"model": _TEXT, "on": reasons}, required=["model"])]}
    dollars: list[JsonValue] = [{"type": "string", "pattern": r"^\d+(\.\d{1,6})?$"}, {"type": "integer", "minimum": 0}]
    return {
        "fallback": {"type": "array", "items": one, "minItems": 1, "maxItems": FALLBACKS_MAX, "description": "Who takes over, and when."},
        "max_call_usd": {"anyOf": dollars, "description": "Dollars that one call may cost at worst; a dearer model is passed over."},
        "temperature": {"type": "number", "minimum": 0, "maximum": TEMPERATURE_MAX},
        "parallel_tools": {"type": "boolean", "description": "Whether the model may call several tools in one turn."},
        "attachments": _attachments(),
    }


def _attachments() -> Schema:
    place: Schema = {"type": "string", "pattern": r"^(input\..+|steps\..+\.output(\..+)?)$"}
    return {"type": "array", "items": place, "description": "Where images and files lie that the model is shown."}


def _approve() -> Schema:
    quorum: Schema = {"type": "integer", "minimum": 1, "maximum": QUORUM_MAX, "default": 1}
    no: Schema = {"type": "boolean", "default": False}
    group = _object({"role": _TEXT, "quorum": quorum, "veto": no}, required=["role"])
    groups: Schema = {"type": "array", "minItems": 1, "items": group}
    reviewers = _object(
        {
            "role": _TEXT,
            "quorum": quorum,
            "veto": no,
            "any": groups,
            "all": groups,
            "four_eyes": no,
            "exclude_requester": {"type": "boolean", "default": True},
        }
    )
    one_way: list[JsonValue] = [{"required": [way]} for way in ("role", "any", "all")]
    rung = _object(
        {"after": _DURATION, "to": _object({"role": _TEXT, "quorum": quorum}, required=["role"]), "replace": no}, required=["to"]
    )
    return _object(
        {
            "title": _TEXT,
            "binds": {"type": "array", "items": _TEXT, "description": "Paths of later call steps whose arguments are approved."},
            "reviewers": {**reviewers, "oneOf": one_way},
            "timeout": _DURATION,
            "on_timeout": {"enum": ["reject", "approve", "fail", "escalate"], "default": "reject"},
            "remind": {"type": "array", "items": _DURATION, "description": "When to remind, counted from the opening."},
            "escalate": {"type": "array", "items": rung, "description": "Who may decide as well, or instead, and from when."},
            "form": _object({"schema": _ref("jsonSchema")}, required=["schema"]),
            "calendar": {"type": "string", "description": "Whose working time the durations are: a calendar's name."},
            "questions": {"enum": list(QUESTIONS), "default": "requester", "description": "Who answers a reviewer's question first."},
        },
        required=["title", "reviewers"],
    )


def _terms() -> Schema:
    role: Schema = {"type": "string", "minLength": 1}
    return {
        "assign": {"oneOf": [_object({"role": role}, required=["role"]), _object({"principal": role}, required=["principal"])]},
        "priority": {"enum": ["low", "normal", "high", "urgent"], "default": "normal"},
        "due": _DURATION,
        "escalate": {
            "type": "array",
            "items": _object({"after": _DURATION, "to": _object({"role": role}, required=["role"])}, required=["after", "to"]),
        },
    }


def _task() -> Schema:
    return _object(
        {
            "title": _TEXT,
            "instructions": _TEXT,
            **_terms(),
            "form": _object({"schema": _ref("jsonSchema")}, required=["schema"]),
            "timeout": _DURATION,
            "on_timeout": {"enum": ["fail", "skip"], "default": "fail"},
        },
        required=["title"],
    )


def _listen() -> Schema:
    return _object(
        {
            "signal": {"type": "string", "pattern": r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*$", "maxLength": 63},
            "correlate": {"type": "string", "description": "Which signal of that name; may hold `${ }`."},
            "timeout": _DURATION,
        },
        required=["signal"],
    )
