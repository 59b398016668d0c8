"""Three of the wire protocols as the vendors document them: whole answers, stream events, error bodies, and what they refuse."""

import json
import re
from collections.abc import Iterator
from typing import Protocol, cast

from tests.servers.model_answers import Answer, PlannedCall

Body = dict[str, object]
Event = tuple[str | None, object]
"""Name and data of a server-sent event; a nameless one has only data."""

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SAMPLING = ("temperature", "top_p", "top_k")


class Wire(Protocol):
    """One protocol."""

    def whole(self, answer: Answer, request: Body) -> Body:
        """Return the JSON body of an answer that is not streamed."""
        ...

    def events(self, answer: Answer, request: Body) -> list[Event]:
        """Return the events of a streamed answer."""
        ...

    def error_event(self, answer: Answer) -> Event:
        """Return the event that breaks a stream off."""
        ...

    def error_body(self, status: int, message: str) -> Body:
        """Return the JSON body of an HTTP error."""
        ...

    def objection(self, request: Body) -> str | None:
        """Return why the vendor would answer 400, or None."""
        ...


def halves(text: str, pieces: int = 2) -> list[str]:
    """Return the text in `pieces` pieces, as a stream brings it, none of them empty; an empty text has none."""
    size = max(1, -(-len(text) // pieces))
    return [text[start : start + size] for start in range(0, len(text), size)]


def argument_text(call: PlannedCall) -> str:
    """Return the argument text as the model wrote it."""
    return call.raw if call.raw is not None else json.dumps(call.arguments)


def wire_name(call: PlannedCall) -> str:
    """Return the tool name as it travels."""
    return call.name.replace(".", "-")


def objects(value: object) -> list[Body]:
    """Return the objects of a list; anything else has none."""
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Body", item) for item in items if isinstance(item, dict)]


def _bad_basics(request: Body, names: Iterator[object]) -> str | None:
    sampling = [key for key in _SAMPLING if key in request]
    if sampling:
        return f"{sampling[0]} is not supported with this model"
    bad = [name for name in names if not isinstance(name, str) or not TOOL_NAME.fullmatch(name)]
    return f"tool name {bad[0]!r} does not match ^[a-zA-Z0-9_-]{{1,64}}$" if bad else None


class AnthropicWire:
    """`POST /v1/messages` of the Messages API."""

    _stops = {"answered": "end_turn", "refused": "refusal", "length": "max_tokens"}  # never changed

    def whole(self, answer: Answer, request: Body) -> Body:
        """Return a `message`; a malformed argument text arrives as a string, since there is no object to send."""
        text: list[object] = [{"type": "text", "text": answer.text}] if answer.text else []
        calls: list[object] = [
            {"type": "tool_use", "id": f"toolu_{place}", "name": wire_name(call), "input": call.arguments if call.raw is None else call.raw}
            for place, call in enumerate(answer.calls)
        ]
        return self._message(answer, request) | {"content": text + calls, "stop_reason": self._stop(answer)}

    def events(self, answer: Answer, request: Body) -> list[Event]:
        """Return `message_start` … `message_stop`."""
        events: list[Event] = [
            ("message_start", {"type": "message_start", "message": self._message(answer, request)}),
            ("ping", {"type": "ping"}),
        ]
        index = 0
        if answer.reasoning:
            thoughts: list[object] = [{"type": "thinking_delta", "thinking": piece} for piece in halves(answer.reasoning)]
            sealed: object = {"type": "signature_delta", "signature": "c2lnbmVk"}
            events += self._block(index, {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, sealed])
            index += 1
        if answer.text:
            deltas: list[object] = [{"type": "text_delta", "text": piece} for piece in halves(answer.text, answer.pieces)]
            events += self._block(index, {"type": "text", "text": ""}, deltas)
            index += 1
        for place, call in enumerate(answer.calls, start=index):
            block: object = {"type": "tool_use", "id": f"toolu_{place - index}", "name": wire_name(call), "input": {}}
            events += self._block(
                place, block, [{"type": "input_json_delta", "partial_json": piece} for piece in halves(argument_text(call))]
            )
        delta: object = {"stop_reason": self._stop(answer), "stop_sequence": None}
        events.append(("message_delta", {"type": "message_delta", "delta": delta, "usage": {"output_tokens": answer.output_tokens}}))
        return [*events, ("message_stop", {"type": "message_stop"})]

    def error_event(self, answer: Answer) -> Event:
        """Return the `error` event."""
        return "error", {"type": "error", "error": {"type": answer.error_kind, "message": answer.message}}

    def error_body(self, status: int, message: str) -> Body:
        """Return the `error` object."""
        kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
        return {"type": "error", "error": {"type": kind.get(status, "invalid_request_error"), "message": message}, "request_id": "req_1"}

    def objection(self, request: Body) -> str | None:
        """Return what the API refuses: bad names, sampling, results that do not follow their calls, empty texts."""
        problem = _bad_basics(request, (tool.get("name") for tool in objects(request.get("tools"))))
        if problem or "max_tokens" not in request:
            return problem or "max_tokens: Field required"
        open_calls: set[object] = set()
        for place, message in enumerate(objects(request.get("messages"))):
            blocks = objects(message.get("content"))
            answered = {block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"}
            if answered != open_calls:
                return f"messages.{place}: tool_use ids {open_calls} need tool_result blocks immediately after, got {answered}"
            if any(block.get("type") == "text" and not str(block.get("text")).strip() for block in blocks) or not blocks:
                return f"messages.{place}: text content blocks must be non-empty"
            open_calls = {block.get("id") for block in blocks if block.get("type") == "tool_use"}
        return None

    def _message(self, answer: Answer, request: Body) -> Body:
        usage: object = {"input_tokens": answer.input_tokens - answer.cached_tokens - answer.cache_write_tokens,
                         "cache_read_input_tokens": answer.cached_tokens, "cache_creation_input_tokens": answer.cache_write_tokens,
                         "output_tokens": answer.output_tokens}  # fmt: skip
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": [], "usage": usage,
                "stop_reason": None, "stop_sequence": None}  # fmt: skip

    def _block(self, index: int, block: object, deltas: list[object]) -> list[Event]:
        name = "content_block_delta"
        middle: list[Event] = [(name, {"type": name, "index": index, "delta": delta}) for delta in deltas]
        start: Event = ("content_block_start", {"type": "content_block_start", "index": index, "content_block": block})
        return [start, *middle, ("content_block_stop", {"type": "content_block_stop", "index": index})]

    def _stop(self, answer: Answer) -> str:
        return "tool_use" if answer.calls and answer.stop == "answered" else self._stops[answer.stop]


class ChatWire:
    """`POST /v1/chat/completions`, as OpenAI and the compatible servers speak it."""

    def whole(self, answer: Answer, request: Body) -> Body:
        """Return a `chat.completion`."""
        message: Body = {"role": "assistant", "content": answer.text or None, "refusal": None}
        if answer.stop == "refused":
            message |= {"content": None, "refusal": answer.text}
        if answer.calls:
            message["tool_calls"] = [self._call(place, call, argument_text(call)) for place, call in enumerate(answer.calls)]
        choice: object = {"index": 0, "message": message, "finish_reason": self._finish(answer), "logprobs": None}
        return self._frame("chat.completion", request) | {"choices": [choice], "usage": self._usage(answer)}

    def events(self, answer: Answer, request: Body) -> list[Event]:
        """Return the chunks, the one with usage, and `[DONE]`."""
        key = "refusal" if answer.stop == "refused" else "content"
        deltas: list[Body] = [{"role": "assistant", "content": ""}]
        deltas.extend({"reasoning_content": piece} for piece in halves(answer.reasoning))
        deltas.extend({key: piece} for piece in halves(answer.text, answer.pieces))
        for place, call in enumerate(answer.calls):
            deltas.append({"tool_calls": [{"index": place} | self._call(place, call, "")]})
            parts = ({"index": place, "function": {"arguments": piece}} for piece in halves(argument_text(call)))
            deltas.extend({"tool_calls": [part]} for part in parts)
        frame = self._frame("chat.completion.chunk", request)
        chunks: list[Body] = []
        chunks.extend({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas)
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": self._finish(answer)}]})
        chunks.append({"choices": [], "usage": self._usage(answer)})
        return [*((None, frame | chunk) for chunk in chunks), (None, "[DONE]")]

    def error_event(self, answer: Answer) -> Event:
        """Return a chunk that is an error."""
        return None, {"error": {"message": answer.message, "type": answer.error_kind, "code": None, "param": None}}

    def error_body(self, status: int, message: str) -> Body:
        """Return the `error` object."""
        return {
            "error": {"message": message, "type": "invalid_request_error" if status < 500 else "server_error", "code": None, "param": None}
        }

    def objection(self, request: Body) -> str | None:
        """Return what the API refuses: bad names, results without their call."""
        functions = (tool.get("function") for tool in objects(request.get("tools")))
        problem = _bad_basics(request, (cast("Body", function).get("name") for function in functions if isinstance(function, dict)))
        known: set[object] = set()
        for message in objects(request.get("messages")):
            known |= {call.get("id") for call in objects(message.get("tool_calls"))}
            if message.get("role") == "tool" and message.get("tool_call_id") not in known:
                problem = problem or "messages with role 'tool' must follow a message with their tool_calls"
        return problem

    def _frame(self, kind: str, request: Body) -> Body:
        return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": request["model"]}

    def _call(self, place: int, call: PlannedCall, arguments: str) -> Body:
        return {"id": f"call_{place}", "type": "function", "function": {"name": wire_name(call), "arguments": arguments}}

    def _usage(self, answer: Answer) -> Body:
        total = answer.input_tokens + answer.output_tokens
        return {"prompt_tokens": answer.input_tokens, "completion_tokens": answer.output_tokens, "total_tokens": total,
                "prompt_tokens_details": {"cached_tokens": answer.cached_tokens}}  # fmt: skip

    def _finish(self, answer: Answer) -> str:
        if answer.stop == "length":
            return "length"
        return "tool_calls" if answer.calls else "stop"


class ResponsesWire:
    """`POST /v1/responses` of OpenAI."""

    def whole(self, answer: Answer, request: Body) -> Body:
        """Return a `response`."""
        output: list[object] = []
        if answer.text:
            part: Body = {"type": "output_text", "text": answer.text, "annotations": []}
            if answer.stop == "refused":
                part = {"type": "refusal", "refusal": answer.text}
            output.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
        output += [
            {"type": "function_call", "id": f"fc_{place}", "call_id": f"call_{place}", "name": wire_name(call),
             "arguments": argument_text(call), "status": "completed"}
            for place, call in enumerate(answer.calls)
        ]  # fmt: skip
        cut = answer.stop == "length"
        return self._frame(request, "incomplete" if cut else "completed") | {
            "output": output,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "usage": {"input_tokens": answer.input_tokens,
                      "input_tokens_details": {"cached_tokens": answer.cached_tokens, "cache_write_tokens": answer.cache_write_tokens},
                      "output_tokens": answer.output_tokens, "output_tokens_details": {"reasoning_tokens": 0},
                      "total_tokens": answer.input_tokens + answer.output_tokens},
        }  # fmt: skip

    def events(self, answer: Answer, request: Body) -> list[Event]:
        """Return `response.created` … `response.completed` or `response.incomplete`."""
        whole = self.whole(answer, request)
        bodies: list[Body] = [{"type": "response.created", "response": self._frame(request, "in_progress")}]
        thoughts: list[Body] = [
            {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": piece}
            for piece in halves(answer.reasoning)
        ]
        bodies += thoughts
        for place, item in enumerate(objects(whole["output"])):
            bodies.append({"type": "response.output_item.added", "output_index": place, "item": item | {"status": "in_progress"}})
            bodies += [body | {"item_id": item["id"], "output_index": place} for body in self._deltas(item, answer)]
            bodies.append({"type": "response.output_item.done", "output_index": place, "item": item})
        bodies.append({"type": f"response.{whole['status']}", "response": whole})
        return [(str(body["type"]), body | {"sequence_number": number}) for number, body in enumerate(bodies)]

    def error_event(self, answer: Answer) -> Event:
        """Return the `error` event."""
        return "error", {"type": "error", "code": answer.error_kind, "message": answer.message, "param": None, "sequence_number": 99}

    def error_body(self, status: int, message: str) -> Body:
        """Return the `error` object, as chat completions have it."""
        return ChatWire().error_body(status, message)

    def objection(self, request: Body) -> str | None:
        """Return what the API refuses: bad names, outputs without their call."""
        problem = _bad_basics(request, (tool.get("name") for tool in objects(request.get("tools"))))
        known: set[object] = set()
        for item in objects(request.get("input")):
            if item.get("type") == "function_call":
                known.add(item.get("call_id"))
            elif item.get("type") == "function_call_output" and item.get("call_id") not in known:
                problem = problem or f"No tool call found for function call output with call_id {item.get('call_id')}"
        return problem

    def _frame(self, request: Body, status: str) -> Body:
        return {"id": "resp_1", "object": "response", "created_at": 1_700_000_000,
                "model": request["model"], "status": status,
                "output": [], "error": None,
                "incomplete_details": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}  # fmt: skip

    def _deltas(self, item: Body, answer: Answer) -> list[Body]:
        if item["type"] == "message":
            kind = "response.refusal.delta" if answer.stop == "refused" else "response.output_text.delta"
            return [{"type": kind, "content_index": 0, "delta": piece, "logprobs": []} for piece in halves(answer.text, answer.pieces)]
        return [{"type": "response.function_call_arguments.delta", "delta": piece} for piece in halves(str(item["arguments"]))]
