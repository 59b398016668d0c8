"""Language models behind the port `domain.provider.LlmProvider`: Anthropic, OpenAI, OpenAI-compatible servers, and scripts."""
