"""Which parts of a run's input a definition declares untrusted: `x-trust: untrusted` in the input's JSON Schema. Pure.

Whoever starts a run answers for its input; text of third parties that comes along, such as a customer's letter, is nobody's word.
"""

from pydantic import JsonValue


def untrusted_parts(schema: JsonValue, name: str = "") -> list[str]:
    """Return the dotted names of the parts that a schema declares untrusted; '' for the whole, and a list stands for all its items."""
    if not isinstance(schema, dict):
        return []
    if schema.get("x-trust") == "untrusted":
        return [name]
    found = untrusted_parts(schema.get("items"), name)
    properties = schema.get("properties")
    for key, inner in properties.items() if isinstance(properties, dict) else ():
        found += untrusted_parts(inner, f"{name}.{key}" if name else key)
    return found
