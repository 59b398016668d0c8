"""The vendors' own addresses; given to the SDKs explicitly, which else read them from the environment."""

ANTHROPIC_BASE_URL = "https://api.anthropic.com"
OPENAI_BASE_URL = "https://api.openai.com/v1"
