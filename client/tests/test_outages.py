"""Whatever happens between agent and server: nothing is asked twice, nothing decided is lost."""

import threading
import time
from typing import Any

import httpx
import pytest
from hitl_client import (
    HITL,
    AsyncHITL,
    HITLError,
    InterruptSignal,
    ProblemError,
    Unavailable,
    UnexpectedAnswer,
    WaitTimeout,
    client,
)
from loopback import Cut, Fault, Hangs, Loopback, Says


@pytest.mark.parametrize(
    "fault", [Fault(), Fault(handled=True), Cut()], ids=["reset", "lost answer", "cut answer"]
)
def test_a_question_asked_again_after_a_broken_connection_is_one_question(
    agent: Any, server: Loopback, fault: Fault
) -> None:
    server.faults.extend([fault, fault])
    with pytest.raises(InterruptSignal):
        agent.require_approval("Deploy?", session_id="s", mode="raise")
    assert len(server.interrupts) == 1
    assert server.asked == [("POST", "interrupts")] * 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_time_gets_it(agent: Any, server: Loopback, status: int) -> None:
    server.faults.append(Says(status, Retry_After="1"))
    server.soon()
    began = time.monotonic()
    assert agent.require_approval("Deploy?")
    assert time.monotonic() - began >= 1


def test_time_asked_for_by_a_date_is_given_too(hitl: HITL, server: Loopback) -> None:
    server.faults.append(
        Says(503, Retry_After=time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 2)))
    )
    began = time.monotonic()
    assert hitl.find("nothing") is None
    assert time.monotonic() - began >= 0.9


def test_who_may_not_ask_for_longer_than_the_client_waits_is_told_why(agent: Any, server: Loopback) -> None:
    server.faults.append(
        Says(429, '{"code": "too_many_open", "detail": "Wait for answers."}', Retry_After="60")
    )
    with pytest.raises(ProblemError, match=r"429 Wait for answers\.") as refusal:
        agent.require_approval("Deploy?")
    assert refusal.value.code == "too_many_open"


def test_a_server_that_is_away_for_long_is_unavailable(server: Loopback) -> None:
    server.stop()
    with HITL(server.url, "hitl_key", retry_for=0.5) as hitl, pytest.raises(Unavailable) as trouble:
        hitl.require_approval("Deploy?")
    assert isinstance(trouble.value.__cause__, httpx.ConnectError)
    server.start()


def test_a_wait_outlasts_a_restart(agent: Any, server: Loopback) -> None:
    with pytest.raises(InterruptSignal) as signal:
        agent.require_approval("Deploy?", session_id="s", mode="raise")

    def restart() -> None:
        time.sleep(0.2)
        server.faults.append(Fault(handled=True))
        server.stop()
        server.decide(modifications={"where": "staging"})
        time.sleep(0.5)
        server.start()

    operator = threading.Thread(target=restart)
    operator.start()
    decision = agent.wait(signal.value.interrupt_id)
    operator.join()
    assert decision.arguments == {"where": "staging"}


def test_a_wait_that_gets_no_answer_to_its_end_is_as_if_nobody_decided(agent: Any, server: Loopback) -> None:
    server.faults.extend([Fault()] * 20)
    began = time.monotonic()
    assert agent.wait("int_0", timeout=1.5) is None
    assert 1.4 < time.monotonic() - began < 4


def test_nothing_is_returned_when_nobody_decides_in_time(agent: Any, server: Loopback) -> None:
    with pytest.raises(WaitTimeout) as still_open:
        agent.require_approval("Deploy?", wait_timeout=1.2)
    began = time.monotonic()
    assert agent.wait(still_open.value.interrupt_id, timeout=0) is None
    assert time.monotonic() - began < 0.5
    server.decide()
    assert agent.wait(still_open.value.interrupt_id, timeout=0)


def test_a_proxy_that_does_not_hold_answers_is_not_flooded(agent: Any, server: Loopback) -> None:
    server.holds = False
    with pytest.raises(WaitTimeout):
        agent.require_approval("Deploy?", wait_timeout=2)
    assert len(server.asked) < 6


def test_an_answer_that_is_not_the_servers_is_named(agent: Any, server: Loopback) -> None:
    server.faults.append(Says(200, "<html>Please log in</html>"))
    with pytest.raises(UnexpectedAnswer, match="Please log in"):
        agent.get("int_0")


def test_a_refusal_in_a_proxys_own_words_is_a_problem(agent: Any, server: Loopback) -> None:
    server.faults.append(Says(403, "<html>Blocked</html>"))
    with pytest.raises(ProblemError, match="403 Forbidden: <html>Blocked"):
        agent.get("int_0")


def test_a_comment_that_may_have_arrived_is_not_sent_again(agent: Any, server: Loopback) -> None:
    item = agent.batch([{"reason": "Delete it?"}])[0]
    server.faults.append(Fault(handled=True))
    with pytest.raises(Unavailable):
        agent.comment(item["id"], "Deleted it.")
    assert server.comments == ["Deleted it."]


def test_a_comment_that_was_not_taken_is_sent_again(agent: Any, server: Loopback) -> None:
    item = agent.batch([{"reason": "Delete it?"}])[0]
    server.faults.append(Says(503))
    agent.comment(item["id"], "Deleted it.")
    assert server.comments == ["Deleted it."]


def test_a_cancel_whose_answer_was_lost_is_no_error(agent: Any, server: Loopback) -> None:
    with pytest.raises(InterruptSignal) as signal:
        agent.require_approval("Deploy?", session_id="s", mode="raise")
    server.faults.append(Fault(handled=True))
    assert agent.cancel(signal.value.interrupt_id)["status"] == "cancelled"


def test_what_cannot_be_sent_is_not_tried_again(server: Loopback) -> None:
    began = time.monotonic()
    for url, key in ((server.url.removeprefix("http://"), "hitl_key"), (server.url, "bad\nkey")):
        with HITL(url, key) as hitl, pytest.raises(HITLError, match="cannot be sent"):
            hitl.get("int_0")
    assert time.monotonic() - began < 1


def test_a_client_without_a_key_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HITL_API_KEY", raising=False)
    with pytest.raises(ValueError, match="HITL_API_KEY"):
        HITL()


def test_address_and_key_come_from_the_environment(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITL_URL", f"{server.url}/")
    monkeypatch.setenv("HITL_API_KEY", "hitl_key")
    with HITL() as hitl:
        assert hitl.find("nothing") is None
    assert "hitl_key" not in repr(hitl)


def test_an_http_client_of_ones_own_is_used_and_left_open(server: Loopback) -> None:
    with httpx.Client(headers={"Authorization": "Bearer from the proxy"}) as http:
        with HITL(server.url, http=http) as hitl:
            hitl.find("nothing")
        assert not http.is_closed


def test_an_answer_may_take_so_long_and_no_longer(server: Loopback) -> None:
    server.faults.append(Hangs())
    with HITL(server.url, "hitl_key", timeout=0.3, retry_for=0.1) as hitl:
        began = time.monotonic()
        with pytest.raises(Unavailable) as trouble:
            hitl.find("nothing")
        assert isinstance(trouble.value.__cause__, httpx.ReadTimeout)
        assert time.monotonic() - began < 0.9
        with pytest.raises(WaitTimeout):  # what is held is held longer than an answer may take
            hitl.require_approval("Deploy?", wait_timeout=1.5)


def test_a_proxy_of_ones_own_is_used(server: Loopback) -> None:
    with httpx.Client(proxy=server.url) as http, HITL("http://hitl.example", "hitl_key", http=http) as hitl:
        hitl.find("nothing")
    assert server.asked == [("GET", "interrupts")]
    assert server.hosts == ["hitl.example"]


@pytest.mark.parametrize("reason", ["no server", "no package"])
def test_where_no_socket_is_to_be_had_answers_are_held(
    server: Loopback, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "no package":
        monkeypatch.setattr(client, "sockets", None)
    server.soon()
    with HITL(server.url, "hitl_key", wait_by="socket") as hitl:
        assert hitl.require_approval("Deploy?")
    assert ("GET", "interrupts/int_0/wait") in server.asked


async def test_so_they_are_for_who_awaits(server: Loopback) -> None:
    server.soon()
    async with AsyncHITL(server.url, "hitl_key", wait_by="socket") as hitl:
        assert await hitl.require_approval("Deploy?")
    assert ("GET", "interrupts/int_0/wait") in server.asked


def test_there_are_two_ways_to_wait(server: Loopback) -> None:
    with pytest.raises(ValueError, match="wait_by is poll or socket"):
        HITL(server.url, "hitl_key", wait_by="pigeon")  # type: ignore[arg-type]  # what is tested
