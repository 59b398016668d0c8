"""`generateContent` and `streamGenerateContent?alt=sse` of the Gemini API."""

from typing import cast

from tests.servers.model_answers import Answer
from tests.servers.model_wires import TOOL_NAME, Body, Event, halves, objects, wire_name

SIGNATURE = "c2lnbmVkIGJ5IHRoZSBtb2RlbA=="


class GeminiWire:
    """Gemini's protocol. Arguments travel as objects, so a malformed call is no call but a finish reason."""

    _stops = {"answered": "STOP", "refused": "SAFETY", "length": "MAX_TOKENS"}  # never changed

    def whole(self, answer: Answer, request: Body) -> Body:
        """Return a `GenerateContentResponse`."""
        return self._chunk(request, [*self._thoughts(answer), *self._texts(answer, 1), *self._calls(answer)], answer, last=True)

    def events(self, answer: Answer, request: Body) -> list[Event]:
        """Return a chunk for each part; the last one has the finish reason."""
        parts = [*self._thoughts(answer), *self._texts(answer, answer.pieces), *self._calls(answer)] or [{"text": ""}]
        return [(None, self._chunk(request, [part], answer, last=place == len(parts))) for place, part in enumerate(parts, start=1)]

    def error_event(self, answer: Answer) -> Event:
        """Return an error as a chunk."""
        status = 400 if answer.error_kind == "invalid_request_error" else 503
        return None, self.error_body(status, answer.message)

    def error_body(self, status: int, message: str) -> Body:
        """Return the `error` object."""
        known = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
        return {"error": {"code": status, "message": message, "status": known.get(status, "UNKNOWN")}}

    def objection(self, request: Body) -> str | None:
        """Return what the API refuses: bad names, results that do not follow their calls, unsigned calls, a schema beside tools."""
        declared = [one for tool in objects(request.get("tools")) for one in objects(tool.get("functionDeclarations"))]
        bad = [one.get("name") for one in declared if not isinstance(one.get("name"), str) or not TOOL_NAME.fullmatch(str(one["name"]))]
        if bad:
            return f"Invalid function name {bad[0]!r}"
        settings = request.get("generationConfig")
        if declared and isinstance(settings, dict) and "responseMimeType" in settings:
            return "Function calling with a response mime type: 'application/json' is unsupported"
        expected = 0
        for turn in objects(request.get("contents")):
            parts = objects(turn.get("parts"))
            results = [part for part in parts if "functionResponse" in part]
            if len(results) != expected:
                return "Please ensure that the number of function response parts is equal to the number of function call parts"
            calls = [part for part in parts if "functionCall" in part]
            if calls and "thoughtSignature" not in calls[0]:
                return "Function call is missing a thought_signature in functionCall parts"
            expected = len(calls)
        return None if objects(request.get("contents")) else "contents is not specified"

    def _thoughts(self, answer: Answer) -> list[Body]:
        return [{"text": piece, "thought": True} for piece in halves(answer.reasoning)]

    def _texts(self, answer: Answer, pieces: int) -> list[Body]:
        return [{"text": piece} for piece in halves(answer.text, pieces)]

    def _calls(self, answer: Answer) -> list[Body]:
        made = [call for call in answer.calls if not call.raw]
        return [
            {"functionCall": {"id": f"fc_{place}", "name": wire_name(call), "args": call.arguments}}
            | cast("Body", {"thoughtSignature": SIGNATURE} if place == 0 else {})
            for place, call in enumerate(made)
        ]

    def _chunk(self, request: Body, parts: list[Body], answer: Answer, *, last: bool) -> Body:
        candidate: Body = {"index": 0, "content": {"role": "model", "parts": parts}}
        if last:
            broken = any(call.raw for call in answer.calls)
            candidate["finishReason"] = "MALFORMED_FUNCTION_CALL" if broken else self._stops[answer.stop]
        cached: Body = {"cachedContentTokenCount": answer.cached_tokens} if answer.cached_tokens else {}
        usage: Body = {"promptTokenCount": answer.input_tokens, "candidatesTokenCount": answer.output_tokens} | cached
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": request["model"], "responseId": "r_1"}
