"""Definitions as people write them: bundles of YAML, prompts and JSON Schemas. May import: domain, ruamel.yaml."""
