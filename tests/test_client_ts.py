"""The TypeScript client against the real server, and beside the Python client."""

import json
import re
import subprocess
import threading
from typing import Any

import httpx
import pytest
from hitl_client import HITL, InterruptSignal
from hitl_client.runs import replay_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import agent_side, live
from tests.live import ROOT, LiveServer, Operator
from tests.node import CLIENT, Npm

pytestmark = pytest.mark.sqlite

server, key, ada = live.server, live.key, live.ada
hitl, session = agent_side.hitl, agent_side.session

MODULE = ("node", "--input-type=module", "--eval")
KEYS = """
import { text } from "node:stream/consumers";
import { Float, replayKey } from "hitl-client";
const whole = (name, value) => (value?.["a whole float"] == null ? value : new Float(value["a whole float"]));
const cases = JSON.parse(await text(process.stdin), whole);
console.log(JSON.stringify(await Promise.all(cases.map((it) => replayKey(["session", "ß"], "c", it)))));
"""
ASK = """
import { HITL } from "hitl-client";
const run = new HITL().session({ session_id: process.env.SESSION });
try {
  const args = { path: "ü.txt", ratio: 1.5, tiny: 0.00001, "\\uffee": 1, "😀": [null, true] };
  const call = { tool_name: "delete_file", tool_args: args };
  const said = await run.requireApproval("Löschen?", { ...call, mode: "raise" });
  console.log(JSON.stringify(said.arguments));
} catch (stop) {
  if (stop.name !== "InterruptSignal") throw stop;
  console.log(stop.interruptId);
}
"""
ARGUMENTS = {"path": "ü.txt", "ratio": 1.5, "tiny": 0.00001, "\uffee": 1, "😀": [None, True]}
WHOLE = 2**53 - 1

# JavaScript has one kind of number: what is whole and can be an integer is one.
numbers = st.integers(-WHOLE, WHOLE) | st.floats(allow_nan=False, allow_infinity=False).map(
    lambda number: int(number) if number.is_integer() and abs(number) <= WHOLE else number
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture
def surroundings(server: LiveServer, key: str, session: str) -> dict[str, str]:
    """What a program finds in its environment."""
    return {"HITL_URL": server.url, "HITL_API_KEY": key, "SESSION": session}


def examples(path: str) -> list[str]:
    return re.findall(r"^```js\n(.*?)^```", (ROOT / path).read_text(), re.M | re.S)


def test_the_clients_own_tests_pass(npm: Npm, surroundings: dict[str, str], ada: Operator) -> None:
    said = npm("npm", "test", "--silent", env=surroundings | {"OPERATOR_KEY": ada.personal_key()})
    assert re.search(r"pass [1-9]\d", said), said


def test_its_types_are_those_of_the_server(npm: Npm, server: LiveServer) -> None:
    document = httpx.get(f"{server.url}/api/v1/schema", timeout=30).raise_for_status().text
    generated = npm("npm", "run", "--silent", "generate", send=document)
    assert generated == (CLIENT / "src" / "schema.ts").read_text(), "run make types-ts"


def test_its_lock_names_hashes_and_no_registry() -> None:
    lock = (CLIENT / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    assert all("integrity" in package for path, package in packages.items() if path)
    assert '"resolved"' not in lock
    assert "dependencies" not in packages[""]


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=st.lists(values, min_size=60, max_size=120))
def test_it_makes_the_keys_of_the_python_client(npm: Npm, cases: list[Any]) -> None:
    floats = [1.0, -0.0, 1e22, -3.0]
    known = [0.1, 1e16, 9007199254740994.0, 1.2345678901234568e20, 5e-324, 1e-5, -0.00012345, 1e-7, 0]
    texts = ['\x00\x1f\x7f\u2028"\\/', {"\uffee": 1, "😀": 2, "a": {"b": [], "": {}}}]
    sent = [*cases, *known, *texts, *({"a whole float": number} for number in floats)]
    expected = [replay_key(("session", "ß"), "c", case) for case in [*cases, *known, *texts, *floats]]
    assert json.loads(npm(*MODULE, KEYS, send=json.dumps(sent))) == expected


def test_a_run_goes_on_in_the_other_language(
    npm: Npm, surroundings: dict[str, str], hitl: HITL, session: str, ada: Operator
) -> None:
    asked = npm(*MODULE, ASK, env=surroundings).strip()

    def ask() -> dict[str, Any]:
        with hitl.session(session):
            said = hitl.require_approval(
                "Löschen?", tool_name="delete_file", tool_args=ARGUMENTS, mode="raise"
            )
        return said.arguments

    with pytest.raises(InterruptSignal) as signal:
        ask()
    assert signal.value.interrupt_id == asked
    ada.decide(asked, modifications={"path": "ö.txt"})
    assert ask() == {"path": "ö.txt"}
    assert json.loads(npm(*MODULE, ASK, env=surroundings)) == {"path": "ö.txt"}


def test_a_wait_outlasts_a_server_that_is_killed(
    npm: Npm, server: LiveServer, surroundings: dict[str, str], session: str, ada: Operator
) -> None:
    [ask, *_] = examples("client-ts/README.md")
    ask = ask.replace("tool_name:", "session_id: process.env.SESSION, tool_name:")
    with subprocess.Popen(
        [*MODULE, ask], cwd=CLIENT, env={**server.env, **surroundings}, stdout=subprocess.PIPE, text=True
    ) as agent:
        [asked] = ada.wait_for(1, session_id=session)
        server.kill()
        server.start()
        assert agent.poll() is None
        ada.decide(asked["id"])
        said, _ = agent.communicate(timeout=60)
    assert said == "deleted reports/2019.pdf, as ada allowed\n"


def test_the_example_of_the_readme_runs(npm: Npm, surroundings: dict[str, str], ada: Operator) -> None:
    [program, *_] = examples("client-ts/README.md")
    assert len(program.split("\n\n")[1].splitlines()) <= 10

    def decide() -> None:
        [asked] = ada.wait_for(1, tool_name="delete_file", q="report of 2019")
        ada.decide(asked["id"])

    operator = threading.Thread(target=decide)
    operator.start()
    said = npm(*MODULE, program, env=surroundings)
    operator.join()
    assert said == "deleted reports/2019.pdf, as ada allowed\n"


def test_the_rest_of_the_readme_runs(npm: Npm, surroundings: dict[str, str]) -> None:
    _, events, gate = examples("client-ts/README.md")
    program = f"""
import {{ HITL }} from "hitl-client";
const hitl = new HITL();
const pay = (order, amount) => `paid ${{amount}} for ${{order}}`;
{gate}
console.log(await refund({{ order: "A1", amount: 99 }}));
await hitl.requireConfirmation("Deploy?", {{ mode: "raise" }}).catch(() => undefined);
let lastCursor;
const handle = (event) => (console.log(event.type), process.exit());
{events}"""
    said = npm(*MODULE, program, env=surroundings)
    assert said == "paid 99 for A1\nhitl.interrupt.requested\n"


@pytest.mark.parametrize(
    ("verb", "outcome"), [("approve", "deleted reports/2019.pdf"), ("reject", "refused: No")]
)
def test_the_example_of_the_guide_ends_and_goes_on(
    npm: Npm, surroundings: dict[str, str], ada: Operator, verb: str, outcome: str
) -> None:
    [program] = examples("docs/agents/typescript.md")
    waiting = json.loads(npm(*MODULE, program, env=surroundings))
    ada.decide(waiting["interrupt_id"], verb, **({"reason": "No"} if verb == "reject" else {}))
    assert npm(*MODULE, program, env=surroundings).strip() == outcome
