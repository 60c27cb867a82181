"""What an agent asks for with ``run_input``: which tool, which model, with what.

The native form names ``tool``, ``model``, ``prompt``, ``inputs`` and ``example_input``; without a
tool it is ``http``. Another form names the tool by the key of ``agent_tool_config``, all else in its
``data``.
"""

from dataclasses import dataclass
from typing import Any

from events.problems import invalid
from reviews.bodies import LABEL, OBJECT, Schema
from runs import providers

MODEL_LIMIT = 190
DEFAULT_TOOL = "http"
_TEXT: Schema = {"type": "string", "maxLength": 100_000}

SCHEMA: Schema = {
    "type": "object",
    "description": "Further names are kept with the run and passed over.",
    "properties": {
        "tool": {**LABEL, "description": "Which provider: see `GET providers`."},
        "model": {"type": "string", "maxLength": MODEL_LIMIT},
        "prompt": _TEXT,
        "inputs": {**OBJECT, "description": "The model's inputs by name; files as `attachment:att_…`."},
        "example_input": {**OBJECT, "description": "Stands in where nothing else is said."},
        "config": {**OBJECT, "description": "Stands above `example_input`, below all else."},
        "agent_tool_config": {**OBJECT, "description": "`{tool: {data: {name, example_input, …}}}`"},
        "document_url": {"type": "string", "maxLength": 2_000},
        "session_id": LABEL,
        "user_id": LABEL,
    },
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what is to be called, and all that was sent with it."""

    tool: str
    model: str
    run_input: dict[str, Any]


def read(run_input: dict[str, Any]) -> Asked:
    """Read *run_input*, which has been checked against ``SCHEMA``.

    Raises:
        Problem: 400 for a tool that does not exist, more than one, or a configuration that is none.
    """
    tool, config = _tool(run_input)
    provider = providers.provider_of(tool)
    if provider is None:
        known = ", ".join(sorted(providers.names()))
        raise invalid({"run_input.tool": [f"There is no such tool. Use one of: {known}."]})
    inputs = run_input.get("inputs", {})
    named = (run_input.get("model"), inputs.get("model"), config.get("model"), config.get("name"))
    model = next((name for name in named if isinstance(name, str) and name.strip()), "").strip()
    if len(model) > MODEL_LIMIT:
        raise invalid({"run_input.model": [f"Give up to {MODEL_LIMIT} characters."]})
    example = run_input.get("example_input") or config.get("example_input") or {}
    if not isinstance(example, dict):
        raise invalid({"run_input.agent_tool_config": ["example_input must be an object."]})
    if "://" in model:  # no model is called so: it is where the call goes, and stands where policies look
        inputs, model = {"url": model, **inputs}, ""
    return Asked(provider.name, model, {**run_input, "example_input": example, "inputs": inputs})


def _tool(run_input: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of the tool, and its configuration where ``agent_tool_config`` has one."""
    configs = run_input.get("agent_tool_config", {})
    named = run_input.get("tool", "").strip()
    if not named and len(configs) > 1:
        raise invalid({"run_input.tool": ["agent_tool_config names several tools. Say which in tool."]})
    tool = named or next(iter(configs), DEFAULT_TOOL)
    config = configs.get(tool, {})
    data = config.get("data", config) if isinstance(config, dict) else None
    if not isinstance(data, dict):
        raise invalid({"run_input.agent_tool_config": ["Write {tool: {data: {…}}}."]})
    return tool, data
