"""An agent on Google ADK that refunds orders: `MODE FOLDER SESSION`.

Its session is kept in FOLDER. In mode "raise" the program rests while people think, and another one goes on.
"""

import asyncio
import json
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

from google.adk.agents import LlmAgent  # noqa: E402  # it warns while it is imported
from google.adk.apps import App  # noqa: E402
from google.adk.runners import Runner  # noqa: E402
from google.adk.sessions.sqlite_session_service import SqliteSessionService  # noqa: E402
from google.adk.tools.function_tool import FunctionTool  # noqa: E402
from google.genai import types  # noqa: E402
from google_adk_model import ScriptedModel  # noqa: E402
from hitl_client import AsyncHITL, InterruptSignal  # noqa: E402
from hitl_client.adapters.google_adk import HumanReview  # noqa: E402

mode, folder, session_id = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
CALLS = json.loads((folder / "calls").read_text())


def ran(name: str, **arguments: object) -> dict[str, str]:
    with (folder / "ran").open("a") as file:
        file.write(json.dumps([name, arguments]) + "\n")
    return {"status": f"{name} done"}


def refund(order: str, amount: float, express: bool) -> dict[str, str]:
    """Refund an order."""
    done = ran("refund", order=order, amount=amount, express=express)
    return {"error": "The bank is closed."} if order == "broken" else done


def look_up(order: str) -> dict[str, str]:
    """Look up an order."""
    return ran("look_up", order=order)


def close_shop() -> dict[str, str]:
    """Close the shop."""
    return ran("close_shop")


async def main() -> object:
    async with AsyncHITL() as hitl:
        review = HumanReview(hitl, mode=mode)
        tools = [FunctionTool(refund, require_confirmation=True), look_up, close_shop]
        agent = LlmAgent(name="refunds", model=ScriptedModel(calls=CALLS), tools=tools)
        app = App(name="refunds", root_agent=agent, plugins=[review])
        sessions = SqliteSessionService(str(folder / "sessions.db"))
        key = {"app_name": "refunds", "user_id": "vic", "session_id": session_id}
        session = await sessions.get_session(**key)
        if session is None:
            await sessions.create_session(**key)
            message = types.Content(role="user", parts=[types.Part(text="Refund them.")])
        else:
            message = await review.resume(session)
            if message is None:
                return "nothing to do"
        said = None
        async with Runner(app=app, session_service=sessions) as runner:
            events = runner.run_async(user_id="vic", session_id=session_id, new_message=message)
            async for event in events:
                if event.content and event.content.parts[0].text:
                    said = json.loads(event.content.parts[0].text)
        if said is None:  # paused
            (folder / "paused").touch()
            await asyncio.Event().wait()
        return said


try:
    print(json.dumps(asyncio.run(main())))
except InterruptSignal as undecided:
    print(json.dumps({"waits": len(undecided.interrupts)}))
