"""A model for Microsoft Agent Framework without a network."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agent_framework import BaseChatClient, ChatResponse, Content, FunctionInvocationLayer, Message


class ScriptedModel(FunctionInvocationLayer, BaseChatClient):
    """Makes its calls in the first turn, and then says what it was told."""

    def __init__(self, calls: Sequence[tuple[str, dict[str, Any]]]) -> None:
        super().__init__()
        self.calls = calls

    async def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> ChatResponse:
        contents = [content for message in messages for content in message.contents]
        names = {content.call_id: content.name for content in contents if content.type == "function_call"}
        told = [
            [names[content.call_id], content.result]
            for content in contents
            if content.type == "function_result"
        ]
        calls = [
            Content.from_function_call(f"call_{number}", name, arguments=json.dumps(arguments))
            for number, (name, arguments) in enumerate(self.calls)
        ]
        said = [Content.from_text(json.dumps(told))] if told else calls
        return ChatResponse(messages=[Message("assistant", said)])
