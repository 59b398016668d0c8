"""YAML and JSON documents that people write beside definitions, such as datasets, for entrances that know no adapter."""

from adapters.definitions.documents import read_document

__all__ = ["read_document"]
