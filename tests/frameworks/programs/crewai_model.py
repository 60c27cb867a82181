"""A model of CrewAI without a network: it says what it was told to say, turn by turn."""

import json

from crewai import BaseLLM


class Scripted(BaseLLM):
    """Make the calls (tool, arguments) one after the other; then answer what it was told last.

    `native` models return their calls as data, several in one turn; others write them down, one a turn.
    """

    native: bool = False
    calls: list = []
    told: list = []

    def __init__(self, *calls, native=False):
        super().__init__(model="scripted", native=native, calls=list(calls))

    def call(self, messages, tools=None, *_, **__):
        said = [messages] if isinstance(messages, str) else [str(message["content"]) for message in messages]
        self.told = said
        last = said[-1]
        if not self.calls:
            return last if self.native else f"Thought: I know.\nFinal Answer: {last}"
        if not self.native:
            name, arguments = self.calls.pop(0)
            return f"Thought: I call it.\nAction: {name}\nAction Input: {json.dumps(arguments)}"
        calls, self.calls = self.calls, []
        return [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for number, (name, arguments) in enumerate(calls)
        ]

    def supports_function_calling(self):
        return self.native
