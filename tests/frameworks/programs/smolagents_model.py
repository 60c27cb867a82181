"""A model of smolagents without a network: it says what it was told to say, turn by turn."""

from smolagents import ChatMessage, MessageRole, Model
from smolagents.models import ChatMessageToolCall, ChatMessageToolCallFunction


class Scripted(Model):
    """Make the calls of turn after turn, each (tool, arguments); then answer what it was told last."""

    def __init__(self, *turns):
        super().__init__(model_id="scripted")
        self.turns = list(turns)
        self.told = ""

    def generate(self, messages, stop_sequences=None, response_format=None, tools_to_call_from=None, **_):
        content = messages[-1].content
        self.told = content if isinstance(content, str) else "\n".join(part["text"] for part in content)
        calls = self.turns.pop(0) if self.turns else [("final_answer", {"answer": self.told})]
        made = [
            ChatMessageToolCall(
                id=f"call_{number}",
                type="function",
                function=ChatMessageToolCallFunction(name=name, arguments=arguments),
            )
            for number, (name, arguments) in enumerate(calls)
        ]
        return ChatMessage(role=MessageRole.ASSISTANT, content="", tool_calls=made)
