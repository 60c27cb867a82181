"""The shapes of agents' frameworks: what goes in comes back, and what people decide reads as those expect it.

`tests/dialects.json` holds questions and answers in each shape; they were held against the frameworks' own
types (langchain 1.5, langgraph 1.2, ag-ui-protocol 1.0, mcp 2.3, a2a-sdk 1.3).
"""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interrupts.dialects import DIALECTS
from interrupts.models import Interrupt
from tests.conftest import Door
from tests.live import ROOT
from tests.steps import MakePolicy, let_deadline_pass, problem, rows

CASES = json.loads((ROOT / "tests/dialects.json").read_text())
FIRST = {case["dialect"]: case["asked"] for case in reversed(CASES)}
SEVERAL = CASES[0]["asked"]
QUICK = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def ask(door: Door, dialect: str, asked: Any, **headers: str) -> Any:
    return door.post_json(f"/interrupts?dialect={dialect}", asked, **headers)


def told(door: Door, dialect: str, pk: str) -> dict[str, Any]:
    answer = door.get_json(f"/interrupts/{pk}", dialect=dialect)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def decide(door: Door, pk: str, verb: str, body: Any = None) -> None:
    answer = door.post_json(f"/interrupts/{pk}/{verb}", body or {})
    assert answer.status_code == 200, answer.content


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_what_is_asked_comes_back_and_its_answer_in_the_same_words(
    agent: Door, as_ann: Door, case: dict[str, Any]
) -> None:
    asked = ask(agent, case["dialect"], case["asked"])

    assert asked.status_code == 201, asked.content
    found = asked.json()
    assert found["request"] == case["asked"]
    assert (found["is_resolved"], found["answer"], found["dialect"]) == (False, None, case["dialect"])
    assert len(found["items"]) == len(case["decide"])
    for item, (verb, body) in zip(found["items"], case["decide"], strict=True):
        assert told(agent, case["dialect"], item["id"])["answer"] is None
        decide(as_ann, item["id"], verb, body)
    for item in found["items"]:
        now = told(agent, case["dialect"], item["id"])
        shown = {"messageId": "…"} if case["dialect"] == "a2a" else {}
        assert {**now["answer"], **shown} == case["answer"]
        assert now["request"] == case["asked"]
        assert now["is_resolved"] is True
        assert now == agent.get_json(f"/interrupts/{item['id']}/status", dialect=case["dialect"]).json()


def test_a_question_is_one_for_people_like_any_other(agent: Door) -> None:
    asked = ask(
        agent, "langchain", {**SEVERAL, "hitl": {"session_id": "s-1", "priority": "high", "expires_in": 60}}
    ).json()

    items = [agent.get_json(f"/interrupts/{item['id']}").json() for item in asked["items"]]

    assert [item["type"] for item in items] == ["approval", "approval", "approval", "input"]
    assert items[0]["reason"] == "Delete the account of user 123?"
    assert [item["reason"] for item in items[1:3]] == ["Call send_mail?"] * 2
    assert items[1]["tool_args"] == {"to": "ann@example.com", "copies": 1}
    assert items[1]["args_schema"] == SEVERAL["review_configs"][1]["args_schema"]
    assert items[0]["allowed_decisions"] == ["approve", "reject"]
    assert {(item["session_id"], item["priority"], item["batch_id"]) for item in items} == {
        ("s-1", "high", asked["batch_id"])
    }
    assert asked["items"][0]["content_hash"] == items[0]["content_hash"]
    assert len(agent.get_json("/interrupts", session_id="s-1").json()["results"]) == 4


def test_all_that_a_person_judges_is_in_what_is_hashed(agent: Door) -> None:
    long = "Delete " + "x" * 2_000
    parts = [{"text": "Look at this."}, {"data": {"orders": 3}}]
    words = {"action_request": {"action": "a", "args": {}}, "config": FIRST["agent-inbox"]["config"]}

    asked = ask(agent, "agent-inbox", {**words, "description": long}).json()
    shown = agent.get_json(f"/interrupts/{asked['id']}").json()
    files = ask(agent, "a2a", {"messageId": "m", "role": "ROLE_AGENT", "parts": parts}).json()

    assert (len(shown["reason"]), shown["data"]) == (1000, {"description": long})
    assert asked["request"]["description"] == long
    assert agent.get_json(f"/interrupts/{files['id']}").json()["data"] == {"parts": parts[1:]}


# -- What holds for every call ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "LangChain", "crewai", "../mcp", "é"])
def test_an_unknown_dialect_is_refused_and_those_there_are_are_named(agent: Door, name: str) -> None:
    pk = agent.ask()["id"]
    for answer in (
        agent.post_json(f"/interrupts?dialect={name}", {"reason": "x"}),
        agent.get_json(f"/interrupts/{pk}", dialect=name),
        agent.get_json(f"/interrupts/{pk}/status", dialect=name),
        agent.get_json(f"/interrupts/{pk}/wait", dialect=name),
    ):
        [message] = problem(answer, 400, "invalid")["errors"]["dialect"]
        assert all(dialect in message for dialect in DIALECTS)
    problem(agent.get_json("/interrupts", dialect="mcp"), 400, "invalid")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_is_asked_once_for_one_key(agent: Door, dialect: str) -> None:
    first = ask(agent, dialect, FIRST[dialect], **{"Idempotency-Key": "k"})
    before = rows()
    again = ask(agent, dialect, FIRST[dialect], **{"Idempotency-Key": "k"})
    other = ask(agent, dialect, {**FIRST[dialect], "hitl": {"priority": "low"}}, **{"Idempotency-Key": "k"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    problem(other, 422, "key_reused")
    assert rows() == before
    for item in first.json()["items"]:
        decide(agent, item["id"], "cancel")
    assert ask(agent, dialect, FIRST[dialect], **{"Idempotency-Key": "k"}).json()["answer"] is not None


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nobody_else_reads_it_and_no_other_scope_asks(
    agent: Door, rogue: Door, make_agent: Any, dialect: str
) -> None:
    reader = make_agent("reader", ("read",))
    asked = ask(agent, dialect, FIRST[dialect]).json()

    problem(rogue.get_json(f"/interrupts/{asked['id']}", dialect=dialect), 404)
    problem(ask(reader, dialect, FIRST[dialect]), 403)


def test_a_policy_that_denies_is_answered_at_once(agent: Door, make_policy: MakePolicy) -> None:
    make_policy(pattern="delete_*", deny=True)
    one = {**SEVERAL, "action_requests": SEVERAL["action_requests"][:1]}

    answer = ask(agent, "langchain", one).json()["answer"]

    assert [decision["type"] for decision in answer["decisions"]] == ["reject"]


@pytest.mark.parametrize("ends", ["the deadline passes", "it is taken back"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_silence_is_no_in_every_dialect(agent: Door, dialect: str, ends: str) -> None:
    asked = ask(agent, dialect, FIRST[dialect]).json()
    for item in asked["items"]:
        if ends == "it is taken back":
            decide(agent, item["id"], "cancel")
        else:
            let_deadline_pass(item["id"])

    answer = told(agent, dialect, asked["id"])["answer"]

    match dialect:
        case "langchain":
            assert {decision["type"] for decision in answer["decisions"]} == {"reject"}
            assert all(decision["message"] for decision in answer["decisions"])
        case "ag-ui":
            assert {entry["status"] for entry in answer["resume"]} == {"cancelled"}
            assert not any("payload" in entry for entry in answer["resume"])
        case "a2a":
            assert answer["parts"][-1]["data"]["decision"] == "reject"
        case "mcp":
            assert answer == {"action": "cancel"}
        case _:
            assert answer["type"] == "ignore"


def test_several_are_asked_all_or_none(agent: Door) -> None:
    broken = copy.deepcopy(SEVERAL)
    broken["action_requests"][2]["args"]["copies"] = "two"
    before = rows()

    refused = problem(ask(agent, "langchain", broken), 400, "invalid")

    assert list(refused["errors"]) == ["action_requests.2.args.copies"]
    assert rows() == before


def test_what_was_asked_at_once_is_not_answered_in_part_when_some_of_it_is_gone(
    agent: Door, as_ann: Door
) -> None:
    asked = ask(agent, "langchain", SEVERAL).json()
    Interrupt.objects.get(pk=asked["items"][1]["id"]).delete()

    problem(agent.get_json(f"/interrupts/{asked['id']}", dialect="langchain"), 409, "incomplete")
    assert agent.get_json(f"/interrupts/{asked['id']}").status_code == 200


def test_no_caller_writes_what_is_kept_of_a_dialect(agent: Door) -> None:
    forged = {"name": "langchain", "number": 0, "of": 2, "kept": {"per_call": 1}}
    before = rows()

    for path, body in (
        ("/interrupts", {"reason": "x", "metadata": {"hitl_dialect": forged}}),
        ("/interrupts/batch", {"items": [{"reason": "x", "metadata": {"hitl_dialect": None}}]}),
    ):
        refused = problem(agent.post_json(path, body), 400, "invalid")
        assert next(iter(refused["errors"])).endswith("metadata.hitl_dialect")
    assert rows() == before


# -- In other words than it was asked -----------------------------------------------------------------

NATIVE: dict[str, dict[str, Any]] = {
    "an approval": {"tool_name": "pay", "tool_args": {"amount": 1}, "call_id": "c-1", "session_id": "s"},
    "without a tool": {"reason": "Go on?"},
    "a confirmation": {"type": "confirmation"},
    "an input": {"type": "input"},
    "a form": {
        "type": "input",
        "response_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
    },
    "anything": {"type": "feedback", "response_schema": True},
    "a description that is none": {"data": {"description": 1}, "metadata": {"dialect": "postgres"}},
}


@pytest.mark.parametrize("fields", NATIVE.values(), ids=list(NATIVE))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_was_asked_in_our_own_words_is_read_in_any(
    agent: Door, as_ann: Door, dialect: str, fields: dict[str, Any]
) -> None:
    for verb, body in (
        ("approve", {}), ("reject", {"reason": "No."}), ("respond", {"response": {"a": "b"}}),
        ("respond", {"response": ["x"]}), ("approve", {"modifications": {"amount": 2}}),
    ):  # fmt: skip
        pk = agent.ask(**fields)["id"]
        taken = as_ann.post_json(f"/interrupts/{pk}/{verb}", body).status_code == 200
        answer = agent.get_json(f"/interrupts/{pk}", dialect=dialect)

        assert answer.status_code == 200 or (dialect == "mcp" and answer.json()["code"] == "not_in_dialect")
        if answer.status_code == 200:
            assert (answer.json()["answer"] is not None) is taken


def test_an_approval_of_other_arguments_is_never_read_as_one_of_what_was_asked(
    agent: Door, as_ann: Door
) -> None:
    pk = agent.ask(tool_name="pay", tool_args={"amount": 1}, call_id="c")["id"]
    decide(as_ann, pk, "approve", {"modifications": {"amount": 2}})

    problem(agent.get_json(f"/interrupts/{pk}", dialect="mcp"), 409, "not_in_dialect")
    payload = told(agent, "ag-ui", pk)["answer"]["payload"]
    assert payload == {"approved": True, "editedArgs": {"amount": 2}}
    for dialect in set(DIALECTS) - {"mcp", "ag-ui"}:
        assert "edit" in json.dumps(told(agent, dialect, pk)["answer"])


@pytest.mark.parametrize("dialect", ["langchain", "agent-inbox", "ag-ui", "a2a"])
def test_a_revision_is_what_is_asked_from_then_on(agent: Door, as_ann: Door, dialect: str) -> None:
    pk = ask(agent, dialect, FIRST[dialect]).json()["id"]
    decide(as_ann, pk, "request_changes", {"comment": "Only 124."})

    decide(agent, pk, "revise", {"reason": "Delete user 124?", "tool_args": {"user_id": 124}})

    shown = json.dumps(told(agent, dialect, pk)["request"])
    assert '{"user_id": 124}' in shown
    assert '{"user_id": 123}' not in shown
    assert "Delete user 124?" in shown


# -- What cannot be ------------------------------------------------------------------------------------

WRONG: list[tuple[str, list[Any], Any, str]] = [
    ("langchain", ["action_requests"], [], "action_requests"),
    ("langchain", ["action_requests", 0, "args"], "{}", "action_requests.0.args"),
    ("langchain", ["action_requests", 0, "name"], "x" * 256, "action_requests.0.name"),
    ("langchain", ["action_requests", 0, "descripton"], "x", "action_requests.0.descripton"),
    ("langchain", ["action_requests", 0, "name"], "other", "review_configs"),
    (
        "langchain", ["review_configs", 0, "allowed_decisions"], ["maybe"],
        "review_configs.0.allowed_decisions.0",
    ),
    ("langchain", ["review_configs", 1, "args_schema"], {"type": "strin"}, "review_configs.1.args_schema"),
    ("langchain", ["hitl"], {"expires_in": 0}, "hitl.expires_in"),
    ("langchain", ["hitl"], {"expires_at": "2001-01-01T00:00:00Z"}, "hitl.expires_at"),
    ("langchain", ["hitl"], {"type": "approval"}, "hitl.type"),
    ("langchain", ["reason"], "x", "reason"),
    ("agent-inbox", ["config", "allow_edit"], 1, "config.allow_edit"),
    ("agent-inbox", ["config"], {}, "config.allow_accept"),
    (
        "agent-inbox", ["config"],
        {"allow_accept": False, "allow_edit": False, "allow_respond": False, "allow_ignore": False}, "config",
    ),
    ("agent-inbox", ["action_request", "action"], "", "action_request.action"),
    ("ag-ui", ["outcome", "interrupts"], [], "outcome.interrupts"),
    ("ag-ui", ["outcome", "type"], "success", "outcome.type"),
    ("ag-ui", ["outcome", "interrupts", 0, "expiresAt"], "soon", "outcome.interrupts.0.expiresAt"),
    (
        "ag-ui", ["outcome", "interrupts", 0, "metadata", "hitl", "tool_args"], {},
        "outcome.interrupts.0.metadata.hitl.tool_args.user_id",
    ),
    (
        "ag-ui", ["outcome", "interrupts", 3, "responseSchema", "type"], "strin",
        "outcome.interrupts.3.responseSchema",
    ),
    (
        "ag-ui", ["outcome", "interrupts", 3, "responseSchema", "required"], 5,
        "outcome.interrupts.3.responseSchema.required",
    ),
    (
        "ag-ui", ["outcome", "interrupts", 0, "responseSchema", "properties", "editedArgs"], "x",
        "outcome.interrupts.0.responseSchema.properties.editedArgs",
    ),
    ("ag-ui", ["threadId"], "x" * 256, "threadId"),
    ("ag-ui", ["hitl"], {"session_id": "s"}, "hitl.session_id"),
    ("mcp", ["mode"], "url", "mode"),
    ("mcp", ["requestedSchema", "type"], "array", "requestedSchema.type"),
    (
        "mcp", ["requestedSchema", "properties", "days", "type"], "object",
        "requestedSchema.properties.days.type",
    ),
    ("mcp", ["requestedSchema", "properties", "days", "minimum"], "1", "requestedSchema"),
    ("mcp", ["message"], 1, "message"),
    ("a2a", ["status", "state"], "TASK_STATE_WORKING", "status.state"),
    ("a2a", ["status", "message", "parts"], [], "status.message.parts"),
    ("a2a", ["status", "message", "parts", 0], {"text": "x", "url": "y"}, "status.message.parts.0"),
    ("a2a", ["status", "message", "parts", 2, "data", "args"], 1, "status.message.parts.2.data.args"),
    ("a2a", ["status", "message", "parts", 2, "data", "also"], 1, "status.message.parts.2.data.also"),
    (
        "a2a", ["status", "message", "parts", 3, "data"], {"name": "x", "args": {}},
        "status.message.parts.2.data",
    ),
    ("a2a", ["hitl"], {"allowed_decisions": []}, "hitl.allowed_decisions"),
    ("a2a", ["hitl"], {"args_schema": {"required": ["x"]}}, "status.message.parts.2.data.args.x"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "path", "value", "place"), WRONG, ids=[f"{w[0]} {w[3]}" for w in WRONG])
def test_what_cannot_be_is_refused_by_its_place_in_the_dialects_own_words(
    agent: Door, dialect: str, path: list[Any], value: Any, place: str
) -> None:
    before = rows()

    refused = problem(ask(agent, dialect, put(FIRST[dialect], path, value)), 400, "invalid")

    assert place in refused["errors"], refused["errors"]
    assert rows() == before


def put(document: Any, path: list[Any], value: Any) -> Any:
    """Return *document* with *value* at the place that *path* leads to."""
    found = copy.deepcopy(document)
    place = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return found


def places(document: Any) -> list[list[Any]]:
    """Return the paths of everything in *document*."""
    if isinstance(document, dict):
        steps: Any = document.items()
    else:
        steps = enumerate(document) if isinstance(document, list) else ()
    return [[], *([step, *below] for step, inner in steps for below in places(inner))]


PRINTED = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | PRINTED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTED, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_whatever_stands_in_a_shape_it_is_asked_or_refused_and_reads_as_it_was(
    agent: Door, case: dict[str, Any]
) -> None:
    @QUICK
    @given(path=st.sampled_from(places(case["asked"])[1:]), value=ANY)
    def send(path: list[Any], value: Any) -> None:
        sent = put(case["asked"], path, value)
        answer = ask(agent, case["dialect"], sent)
        if answer.status_code == 201:
            assert answer.json()["request"] == sent
        else:
            problem(answer, 400, "invalid")

    send()


# -- Whatever fits a shape comes back -----------------------------------------------------------------

MAPS = st.dictionaries(PRINTED, ANY, max_size=3)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
LONG = PRINTED | st.sampled_from(["", " ", "Call a?", "Go on?", "x" * 1001, "The agent needs an answer."])
KINDS = st.lists(st.sampled_from(["approve", "edit", "reject", "respond"]), min_size=1, max_size=5)


def some(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


@st.composite
def hitl_requests(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(NAMES | st.just("a"), min_size=1, max_size=4))
    actions = [draw(some({"name": st.just(name), "args": MAPS}, description=LONG)) for name in names]
    configs = [draw(some({"action_name": st.just(name), "allowed_decisions": KINDS})) for name in names]
    return {"action_requests": actions, "review_configs": draw(st.permutations(configs))}


FLAGS = st.booleans()
FORMS = st.dictionaries(
    NAMES, some({"type": st.sampled_from(["string", "number", "boolean"])}, title=PRINTED), max_size=3
)
INTERRUPTS = some(
    {"id": NAMES, "reason": st.sampled_from(["tool_call", "confirmation", "input_required"]) | PRINTED},
    message=LONG,
    toolCallId=PRINTED,
    subagentRunId=PRINTED,
    expiresAt=st.sampled_from(["2027-05-01T12:00:00+02:00", "2027-01-01T00:00:00.1Z"]),
    responseSchema=st.sampled_from(
        [{"type": "boolean"}, {}, {"type": "object", "properties": {"approved": {}, "editedArgs": {}}}]
    )
    | FORMS.map(lambda form: {"type": "object", "properties": form, "required": list(form)}),
    metadata=MAPS.filter(lambda found: "hitl" not in found)
    | some({"hitl": some({"tool_name": NAMES | st.just(""), "tool_args": MAPS})}, x=ANY),
)
PARTS = st.one_of(
    some({"text": LONG}, metadata=MAPS),
    some({"data": ANY.filter(lambda data: not (isinstance(data, dict) and {"name", "args"} <= data.keys()))}),
    some({"url": PRINTED}, mediaType=PRINTED, filename=PRINTED),
)
CALLS = some({"data": some({"name": NAMES, "args": MAPS}, id=PRINTED)}, metadata=MAPS)
MESSAGES = some(
    {
        "messageId": PRINTED,
        "role": st.sampled_from(["ROLE_AGENT", "agent"]),
        "parts": st.tuples(st.lists(PARTS, min_size=1, max_size=3), st.lists(CALLS, max_size=1)).flatmap(
            lambda both: st.permutations(both[0] + both[1])
        ),
    },
    contextId=PRINTED, taskId=PRINTED, metadata=MAPS, extensions=st.lists(PRINTED, max_size=2),
)  # fmt: skip
STATUSES = some({"state": st.just("TASK_STATE_INPUT_REQUIRED"), "message": MESSAGES}, timestamp=PRINTED)
SHAPES: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "HITLRequest": ("langchain", hitl_requests()),
    "ToolApprovalRequest": (
        "langchain",
        some(
            {
                "type": st.just("tool_approval"), "tool_call_id": PRINTED, "name": NAMES, "args": MAPS,
                "description": LONG,
            }
        ),
    ),
    "HumanInterrupt": (
        "agent-inbox",
        some(
            {
                "action_request": some({"action": NAMES, "args": MAPS}),
                "config": some(
                    {
                        "allow_accept": FLAGS, "allow_edit": FLAGS, "allow_respond": FLAGS,
                        "allow_ignore": st.just(True),
                    }
                ),
            },
            description=LONG | st.none(),
        ),
    ),
    "Interrupt": ("ag-ui", INTERRUPTS),
    "RunFinished": (
        "ag-ui",
        some(
            {
                "type": st.just("RUN_FINISHED"), "threadId": PRINTED, "runId": PRINTED,
                "outcome": some(
                    {
                        "type": st.just("interrupt"),
                        "interrupts": st.lists(INTERRUPTS, min_size=1, max_size=3),
                    }
                ),
            },
            rawEvent=ANY, result=ANY, metadata=MAPS, timestamp=st.integers(0, 2**53),
        ),
    ),
    "Elicit": (
        "mcp",
        some(
            {"message": LONG, "requestedSchema": some({"type": st.just("object"), "properties": FORMS})},
            mode=st.just("form"), task=MAPS, _meta=MAPS,
        ),
    ),
    "Message": ("a2a", MESSAGES),
    "Task": (
        "a2a",
        some(
            {"id": PRINTED, "status": STATUSES},
            contextId=PRINTED, metadata=MAPS, history=st.lists(MAPS, max_size=2),
            artifacts=st.lists(MAPS, max_size=2),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "shapes"), SHAPES.values(), ids=list(SHAPES))
def test_whatever_fits_a_shape_comes_back_as_it_was(
    agent: Door, dialect: str, shapes: st.SearchStrategy[Any]
) -> None:
    @QUICK
    @given(sent=shapes)
    def send(sent: Any) -> None:
        answer = ask(agent, dialect, sent)
        assert answer.status_code == 201, answer.content
        assert answer.json()["request"] == sent
        assert told(agent, dialect, answer.json()["items"][-1]["id"])["request"] == sent

    send()
