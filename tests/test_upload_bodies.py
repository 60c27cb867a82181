"""How files come in: one to a body, whole, bounded before it costs anything, however it is sent."""

import io
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

from hitl_project.wsgi import application
from tests import files as stored
from tests import live
from tests.conftest import API, Door
from tests.files import BOUNDARY, END, FILE, part, send
from tests.steps import problem, rows

server, key, kept = live.server, live.key, stored.kept
MIB = 1024 * 1024
BODIES = {
    "nothing": b"",
    "two files": part(FILE, b"x") * 2,
    "a file by another name": part('form-data; name="document"; filename="a.txt"', b"x"),
    "a field": part('form-data; name="file"', b"x"),
    "a field beside the file": part(FILE, b"x") + part('form-data; name="note"', b"x"),
    "a file without a name": part('form-data; name="file"; filename=""', b"x"),
    "an unknown charset": part("form-data; name=\"file\"; filename*=martian''a.txt", b"x"),
    "a name that no mail reader understands": part(FILE + "; a*=utf-8''x; a*0=y", b"x"),
    "broken base64": part(FILE, b"!!!", "Content-Transfer-Encoding: base64"),
    "no disposition": b"--frontier\r\nContent-Type: text/plain\r\n\r\nx\r\n",
    "endless headers": part(FILE + "; x=" + "y" * 5_000, b"x"),
    "500 parts": part(FILE, b"x") * 500,
    "no parts": b"just text",
    "bytes": bytes(range(256)) * 10,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_a_body_that_is_not_one_file_is_refused(agent: Door, body: bytes, kept: Any) -> None:
    asked, before = agent.ask()["id"], rows()

    assert "file" in problem(send(agent, asked, body), 400, "invalid")["errors"]
    assert (rows(), kept()) == (before, set())


@pytest.mark.parametrize("boundary", ["", "x" * 300, "wrong", "ü"])
def test_a_boundary_that_is_none_is_refused(agent: Door, boundary: str) -> None:
    problem(send(agent, agent.ask()["id"], part(FILE, b"x"), boundary=boundary), 400, "invalid")


@pytest.mark.parametrize("end", [b"", b"--frontier", b"--frontie"])
def test_half_a_file_is_not_taken_for_a_whole_one(agent: Door, end: bytes) -> None:
    problem(send(agent, agent.ask()["id"], part(FILE, b"x" * 9_000_000), end), 400, "invalid")


def test_no_body_at_all_is_refused_too(agent: Door) -> None:
    path = f"{API}/interrupts/{agent.ask()['id']}/attachments"

    problem(agent.generic("POST", path, content_type=""), 400, "invalid")
    problem(agent.post(path, b"", content_type="multipart/form-data; boundary=x"), 400, "invalid")


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "application/pdf"])
def test_an_upload_is_multipart_or_415(agent: Door, media_type: str) -> None:
    answer = agent.post(f"{API}/interrupts/{agent.ask()['id']}/attachments", b"{}", content_type=media_type)

    assert "multipart/form-data" in problem(answer, 415, "unsupported_media_type")["detail"]


def test_with_threads_alone_a_body_is_refused_by_its_length(db: None) -> None:
    for path, announced, status in (
        (f"{API}/interrupts/int_1/attachments", 11 * MIB + 1, "413"),
        (f"{API}/interrupts/int_1/attachments", 11 * MIB, "401"),
        (f"{API}/interrupts", MIB + 1, "413"),
        ("/admin/interrupts/interrupt/int_1/change/", 11 * MIB + 1, "413"),
        ("/admin/login/", MIB + 1, "413"),
    ):
        said: list[str] = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(announced),
            "wsgi.input": Unread(),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "http",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
        }
        application(environ, lambda line, headers, said=said: said.append(line))

        assert said[0].startswith(status), (path, said)


class Unread(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise AssertionError("The body was read.")


@pytest.fixture
def question(key: str, server: live.LiveServer) -> str:
    asked = httpx.post(
        f"{server.url}{API}/interrupts", json={"reason": "x"}, headers={"Authorization": f"Bearer {key}"}
    )
    return str(asked.json()["id"])


def zeros(count: int) -> Iterator[bytes]:
    yield part(FILE, b"")[:-2]
    for _ in range(count):
        yield b"0" * MIB
    yield b"\r\n" + END


@pytest.mark.parametrize("how", ["announced", "chunked"])
def test_a_gigabyte_is_refused_before_it_costs_anything(
    server: live.LiveServer, key: str, question: str, how: str
) -> None:
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    before, started = process.memory_info().rss, time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as line:
        length = f"Content-Length: {1024 * MIB}" if how == "announced" else "Transfer-Encoding: chunked"
        line.sendall(
            f"POST {API}/interrupts/{question}/attachments HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {key}\r\n{length}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode()
        )
        try:
            for piece in zeros(1024):
                line.sendall(piece if how == "announced" else b"%x\r\n%b\r\n" % (len(piece), piece))
        except OSError:  # it has heard enough
            pass
        answer = line.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413"), answer
    assert time.monotonic() - started < 10
    assert process.memory_info().rss - before < 40 * MIB


def test_of_forty_files_at_once_twenty_are_taken(server: live.LiveServer, key: str, question: str) -> None:
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}) as http:

        def upload(number: int) -> int:
            url = f"{server.url}{API}/interrupts/{question}/attachments"
            return http.post(url, files={"file": (f"{number}.txt", b"x")}, timeout=60).status_code

        with ThreadPoolExecutor(16) as uploaders:
            answers = Counter(uploaders.map(upload, range(40)))

    assert answers == {201: 20, 429: 20}


def test_a_file_in_chunks_arrives_whole(server: live.LiveServer, key: str, question: str) -> None:
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {key}"}) as http:
        sent = http.post(
            f"{API}/interrupts/{question}/attachments",
            content=zeros(10),
            headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        )
        assert sent.status_code == 201, sent.text

        assert http.get(sent.json()["attachment"]["url"]).content == b"0" * 10 * MIB
