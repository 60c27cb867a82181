"""A model for Google ADK without a network."""

import json
from collections.abc import AsyncGenerator
from typing import Any

from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.genai import types


class ScriptedModel(BaseLlm):
    """Makes its calls in the first turn, and then says what it was told."""

    model: str = "scripted"
    calls: list[tuple[str, dict[str, Any]]]

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        told = [
            [part.function_response.name, part.function_response.response]
            for content in llm_request.contents
            for part in content.parts
            if part.function_response
        ]
        calls = [
            types.Part(function_call=types.FunctionCall(name=name, args=arguments))
            for name, arguments in self.calls
        ]
        said = [types.Part(text=json.dumps(told))] if told else calls
        yield LlmResponse(content=types.Content(role="model", parts=said))
