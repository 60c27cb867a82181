"""Policies under load: fifty calls under ten rules, and rules that change while agents ask."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from tests.drills.callers import Caller
from tests.drills.sites import Site, counts

ASK, DENY, ALLOW = {"require_approval": True}, {"deny": True}, {"allow_auto": True}
RULES: list[dict[str, Any]] = [
    {"name": "frozen", "when": "session_id == 'frozen'", "agent_pattern": "agent-02", **DENY},
    {"name": "no deletes", "pattern": "delete_*", "agent_pattern": "agent-00", **DENY},
    {"name": "deletes", "pattern": "delete_*", "reviewers": ["finance"], **ASK},
    {"name": "huge", "pattern": "pay", "when": "args.sum > 1000", "required_approvals": 2, **ASK},
    {"name": "large", "pattern": "pay", "when": "args.sum > 100", "reviewers": ["finance"], **ASK},
    {"name": "pay", "pattern": "pay", **ALLOW},
    {"name": "read", "pattern": "read_*", **ALLOW},
    {"name": "mail", "pattern": "mail", "when": "!args.to.endsWith('@example.com')", **ASK},
    {"name": "shell", "pattern": "shell", "agent_pattern": "agent-0[01]", **DENY},
    {"name": "all", "agent_pattern": "agent-01", **ASK},
]
A, Q, D = "allow", "ask", "deny"
# Tool, arguments, session; then for each of three agents the decision and the rule that makes it.
CALLS: list[tuple[str, dict[str, Any], str, list[tuple[str, str | None]]]] = [
    ("delete_user", {}, "", [(D, "no deletes"), (Q, "deletes"), (Q, "deletes")]),
    ("DELETE_USER", {}, "", [(D, "no deletes"), (Q, "deletes"), (Q, "deletes")]),
    ("delete\u200b_user", {}, "", [(D, "no deletes"), (Q, "deletes"), (Q, "deletes")]),
    ("delete_all", {}, "frozen", [(D, "no deletes"), (Q, "deletes"), (D, "frozen")]),
    ("delete", {}, "", [(A, None), (Q, "all"), (A, None)]),
    ("pay", {"sum": 1}, "", [(A, "pay"), (A, "pay"), (A, "pay")]),
    ("pay", {"sum": 100}, "", [(A, "pay"), (A, "pay"), (A, "pay")]),
    ("pay", {"sum": 101}, "", [(Q, "large"), (Q, "large"), (Q, "large")]),
    ("pay", {"sum": 1_000.5}, "", [(Q, "huge"), (Q, "huge"), (Q, "huge")]),
    ("pay", {"sum": 5_000}, "frozen", [(Q, "huge"), (Q, "huge"), (D, "frozen")]),
    ("pay", {}, "", [(Q, "huge"), (Q, "huge"), (Q, "huge")]),  # its condition fails
    ("pay", {"sum": "1"}, "", [(Q, "huge"), (Q, "huge"), (Q, "huge")]),
    ("read_file", {"path": "/"}, "night", [(A, "read"), (A, "read"), (A, "read")]),
    ("read_file", {}, "frozen", [(A, "read"), (A, "read"), (D, "frozen")]),
    ("mail", {"to": "x@example.com"}, "", [(A, None), (Q, "all"), (A, None)]),
    ("mail", {"to": "x@example.com.evil.org"}, "", [(Q, "mail"), (Q, "mail"), (Q, "mail")]),
    ("shell", {}, "", [(D, "shell"), (D, "shell"), (A, None)]),
]
STATUS = {A: "pending", Q: "pending", D: "rejected"}


def make(ada: Caller, **fields: Any) -> dict[str, Any]:
    answer = ada.http.post("/policies", json=fields)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_fifty_calls_of_three_agents_under_ten_rules(new_site: Callable[..., Site]) -> None:
    site = new_site().start()
    ada = site.person("ada")
    for number, rule in enumerate(RULES):
        make(ada, **rule, priority=number)
    agents = [site.agent() for _ in range(3)]
    assert [agent.name for agent in agents] == ["agent-00", "agent-01", "agent-02"]

    for tool, args, session, expected in CALLS:
        call: dict[str, Any] = {"tool_name": tool, "tool_args": args, "session_id": session}
        for agent, (decision, policy) in zip(agents, expected, strict=True):
            at = (agent.name, call)
            found = agent.http.post("/policies/evaluate", json=call).json()
            assert (found["decision"], found["policy"]) == (decision, policy), at
            asked = agent.item(agent.ask(**call)["id"])
            assert asked["status"] == STATUS[decision], at
            told = asked["policy"] or {"decision": A, "name": None}
            assert (told["decision"], told["name"]) == (decision, policy), at
    assert len(CALLS) * len(agents) >= 50


def test_what_is_asked_while_a_policy_changes_is_under_it_as_it_read_then(site: Site, asker: Caller) -> None:
    """Never none while one was in force throughout, and never one from before a change that was answered."""
    ada, done, known = site.person("ada"), Event(), [1]
    policy = make(ada, name=asker.name, agent_pattern=asker.name, note="1", **ASK)
    path = f"/policies/{policy['id']}"

    def edit() -> None:
        for number in range(2, counts(40, 1_000)):
            body = {"note": str(number), "required_approvals": number % 3 + 1, "version": number - 1}
            answer = ada.http.patch(path, json=body)
            assert answer.status_code == 200, answer.text
            known[0] = answer.json()["version"]

    def ask() -> list[tuple[int, dict[str, Any]]]:
        found = []
        while not done.is_set():
            at_least = known[0]
            found.append((at_least, asker.ask(tool_name="drop")))
        return found

    with ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(ask) for _ in range(4)]
        try:
            edit()
        finally:
            done.set()
        asked = [one for each in asking for one in each.result()]
    ada.http.delete(path)

    assert len(asked) > 10
    for at_least, item in asked:
        assert item["policy"] is not None
        version = item["policy"]["version"]
        assert at_least <= version <= known[0]
        assert item["policy_note"] == str(version)
        assert item["policy"]["stages"][0]["required_approvals"] == (version % 3 + 1 if version > 1 else 1)


def test_two_edits_of_one_version_make_one_change(site: Site, asker: Caller) -> None:
    ada = site.person("ada")
    path = f"/policies/{make(ada, name=asker.name, agent_pattern=asker.name, **ASK)['id']}"
    for version in range(1, counts(10, 500)):
        with ThreadPoolExecutor(8) as threads:
            edits = [{"note": f"{version} {number}", "version": version} for number in range(8)]
            codes = [
                answer.status_code for answer in threads.map(lambda e: ada.http.patch(path, json=e), edits)
            ]
        assert sorted(codes) == [200] + [409] * 7
    assert ada.http.delete(path).status_code == 204


def test_what_was_revoked_lets_nothing_pass(site: Site, asker: Caller, ann: Caller, bob: Caller) -> None:
    ada = site.person("ada")
    policy = make(ada, name=asker.name, agent_pattern=asker.name, **ASK)
    for number in range(counts(8, 200)):
        call = {"tool_name": "drop", "session_id": f"s{number}"}
        ann.decide(asker.ask(**call)["id"], grant="session")
        assert asker.item(asker.ask(**call)["id"])["status"] == "approved"
        grant = next(
            one for one in bob.http.get("/grants").json()["results"] if one["session_id"] == f"s{number}"
        )
        assert bob.http.delete(f"/grants/{grant['id']}").status_code == 200
        asked = [asker.ask(**call)["id"] for _ in range(3)]
        assert {asker.item(pk)["status"] for pk in asked} == {"pending"}
    ada.http.delete(f"/policies/{policy['id']}")
