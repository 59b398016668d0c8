"""Language models behind the port `domain.provider.LlmProvider`: Anthropic, OpenAI, Azure, Bedrock, Gemini, compatible servers, scripts."""
