"""A model of each kind of vendor that the shared stack knows."""

VENDORS = {
    "anthropic": "anthropic/claude-sonnet-4-5",
    "openai": "openai/gpt-5-mini",
    "compatible": "compatible/any",
    "azure": "azure/gpt-5-mini",
    "bedrock": "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "gemini": "gemini/gemini-3.5-flash",
}
