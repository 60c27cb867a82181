"""A greedy caller and an endless body hurt nobody but who sends them."""

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.drills.callers import Caller
from tests.drills.sites import Site, counts

GIGABYTE = 1 << 30


def test_a_flood_is_throttled_and_others_are_not(new_site: Callable[..., Site]) -> None:
    site = new_site(HITL_CALLS_PER_MINUTE="100").start()
    greedy, modest = site.agent(), site.agent()

    def flood(_: int) -> int:
        answer = greedy.http.get("/interrupts", params={"limit": 1})
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.json()["code"] == "throttled"
        return answer.status_code

    with ThreadPoolExecutor(16) as threads:
        codes = threads.map(flood, range(400))
        for _ in range(20):
            begun = time.monotonic()
            modest.ask()
            assert time.monotonic() - begun < 3
        counted = Counter(codes)
    assert counted.keys() == {200, 429}
    assert counted[200] <= 200  # the minute may have turned in between


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_a_gigabyte_is_refused_before_it_is_read(site: Site, asker: Caller, chunked: bool) -> None:
    memory = sum(process.memory_info().rss for process in site.web.family())
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {GIGABYTE}"
    head = (
        f"POST /api/v1/interrupts HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {asker.key}\r\n"
        f"Content-Type: application/json\r\n{length}\r\n\r\n"
    )
    sent = 0
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as caller:
        caller.sendall(head.encode())
        if chunked:
            piece = b"10000\r\n" + b"[" * 65_536 + b"\r\n"
            try:
                while sent < GIGABYTE:
                    caller.sendall(piece)
                    sent += 65_536
            except OSError:  # the server has hung up
                pass
        try:
            answer = caller.recv(65_536)
        except ConnectionResetError:  # it had, before its answer could be read
            answer = b""
    assert answer.startswith(b"HTTP/1.1 413") or (chunked and not answer)
    assert sent < 64 << 20
    assert sum(process.memory_info().rss for process in site.web.family()) < memory + (40 << 20)


def test_bodies_up_to_the_limit_are_told_apart(asker: Caller) -> None:
    def body(size: int) -> Iterator[bytes]:
        yield b'{"reason": "' + b"x" * size + b'"}'

    for size, status in ((200_000, 400), (300_000, 413), (2_000_000, 413)):
        announced = asker.http.post(
            "/interrupts", content=b"".join(body(size)), headers={"Content-Type": "application/json"}
        )
        chunked = asker.http.post(
            "/interrupts", content=body(size), headers={"Content-Type": "application/json"}
        )
        assert (announced.status_code, chunked.status_code) == (status, status)


def test_16_writers_at_once_never_find_the_database_locked(site: Site) -> None:
    ann, agents = site.person("ann"), [site.agent() for _ in range(4)]

    def write(number: int) -> None:
        agent = agents[number % 4]
        for _ in range(counts(10, 1_000)):
            pk = agent.ask()["id"]
            assert ann.http.post(f"/interrupts/{pk}/comments", json={"body": "Hm."}).status_code == 201
            ann.decide(pk)
            assert agent.http.post("/ws/ticket").status_code == 201

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(write, range(16)))
    assert "locked" not in site.web.log()


def test_rest_works_in_workers_that_have_only_threads(site: Site, asker: Caller, ann: Caller) -> None:
    if site.embedded:
        pytest.skip("one process serves everything")
    port = site.port + 1
    worker = site.wsgi(port).start()
    try:
        url = f"http://127.0.0.1:{port}/api/v1/interrupts"
        asked = asker.http.post(url, json={"reason": "May I?"}).json()
        with ThreadPoolExecutor(1) as thread:
            wait = thread.submit(asker.http.get, f"/interrupts/{asked['id']}/wait", params={"timeout": 30})
            time.sleep(0.3)
            begun = time.monotonic()
            assert ann.http.post(f"{url}/{asked['id']}/approve", json={}).status_code == 200
            assert wait.result().json()["status"] == "approved"
            assert time.monotonic() - begun < 2  # the nudge went from process to process
        assert asker.http.get(f"{url}/{asked['id']}/wait").json()["status"] == "approved"
        assert (
            asker.http.post(
                url, content=b"[" * (2 << 20), headers={"Content-Type": "application/json"}
            ).status_code
            == 413
        )
    finally:
        worker.remove()
    assert not worker.folder.exists()
