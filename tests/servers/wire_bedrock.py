"""`InvokeModel` of Amazon Bedrock for Claude: the Messages API with the model in the path, AWS's errors and exceptions in the stream."""

from tests.servers.model_answers import Answer
from tests.servers.model_wires import AnthropicWire, Body, Event

EXCEPTIONS = {"overloaded_error": "throttlingException", "invalid_request_error": "validationException"}
"""What AWS calls Anthropic's kinds of errors inside a stream."""


class BedrockWire(AnthropicWire):
    """Bedrock's dialect."""

    def error_event(self, answer: Answer) -> Event:
        """Return an exception of the event stream."""
        return EXCEPTIONS[answer.error_kind], {"message": answer.message}

    def error_body(self, status: int, message: str) -> Body:
        """Return AWS's error: its kind stands in a header."""
        del status
        return {"message": message}

    def objection(self, request: Body) -> str | None:
        """Return what Bedrock refuses beyond Anthropic: a body without a version."""
        if not isinstance(request.get("anthropic_version"), str):
            return "anthropic_version: Field required"
        return super().objection(request)
