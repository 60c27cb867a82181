"""Secrets stay secret: one reveal at a time, and no trace of an answer anywhere else."""

import base64
import json
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any

import httpx
import psycopg
import redis

from tests.drills.callers import Caller
from tests.drills.sites import Site, counts

THREADS = 64
PAGES_AT_MOST = counts(100, 1_000)
EVERY = counts(5, 1)
FIELDS = {
    "key": {"label": "Key", "type": "secret", "pattern": "sk_.+", "max": 200},
    "account": {"label": "Account", "pattern": "A-[0-9]+"},
}
MARK = secrets.token_hex(10)
"""Stands in every canary and nowhere else."""


def need(agent: Caller) -> str:
    """Ask for a secret and return the request's id."""
    body = {"request_type": "api_key", "title": "A key", "description": "x", "required_fields": FIELDS}
    answer = agent.http.post("/requests", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def call(who: Caller, pk: str, verb: str, **body: Any) -> httpx.Response:
    return who.http.post(f"/requests/{pk}/{verb}", json=body)


def fulfil(who: Caller, pk: str, key: str, **body: Any) -> httpx.Response:
    return call(who, pk, "fulfill", response_data={"key": key, "account": "A-1"}, **body)


def test_64_reveals_at_once_are_one_lease(site: Site, asker: Caller, ann: Caller) -> None:
    for number in range(counts(3, 50)):
        pk = need(asker)
        assert fulfil(ann, pk, f"sk_{number}").status_code == 200
        start = Barrier(THREADS)

        def reveal(pk: str = pk, start: Barrier = start) -> httpx.Response:
            start.wait(30)
            return call(asker, pk, "reveal")

        with ThreadPoolExecutor(THREADS) as threads:
            answers = [one.result() for one in [threads.submit(reveal) for _ in range(THREADS)]]

        assert Counter(answer.status_code for answer in answers) == {200: 1, 410: THREADS - 1}
        assert [answer.json()["values"] for answer in answers if answer.is_success] == [
            {"key": f"sk_{number}"}
        ]
        assert {answer.json()["code"] for answer in answers if not answer.is_success} == {"leased"}


def mistakes(ann: Caller, vic: Caller, rogue: Caller, pk: str, canary: str) -> Iterator[httpx.Response]:
    """Hand in *canary* in every wrong way."""
    path = f"/requests/{pk}/fulfill"
    yield call(ann, pk, "fulfill", key=canary)
    yield call(ann, pk, "fulfill", response_data=canary)
    yield call(ann, pk, "fulfill", response_data={"key": canary})
    yield call(ann, pk, "fulfill", response_data={"key": "sk_1", "account": canary})
    yield call(ann, pk, "fulfill", response_data={"key": [canary], "account": "A-1"})
    yield call(ann, pk, "fulfill", response_data={"key": canary, "account": "A-1", "password": canary})
    yield fulfil(ann, pk, canary.removeprefix("sk_"))
    yield fulfil(ann, pk, canary + "x" * 200)
    yield fulfil(ann, pk, canary + "x" * 300_000)
    yield fulfil(ann, pk, canary, content_hash="0" * 64)
    yield fulfil(ann, "har_01HZX3Q4M6T2V8W9YABCDEFGHJ", canary)
    yield fulfil(vic, pk, canary)
    yield fulfil(rogue, pk, canary)
    yield ann.http.post(path, content=f'{{"response_data": {{"key": "{canary}", }}}}', headers=JSON)
    yield ann.http.post(path, content=f'{{"response_data": {{"key": "{canary}\\u0000"}}}}', headers=JSON)
    yield ann.http.post(path, content=f'{{"response_data": {canary}}}', headers=JSON)
    yield ann.http.post(path, content=f'"{canary}"', headers=JSON)
    yield ann.http.post(path, data={"key": canary})
    yield ann.http.post(path, params={"key": canary}, json={})
    yield call(ann, pk, "reveal", key=canary)


JSON = {"Content-Type": "application/json"}


def test_canaries_are_found_nowhere_else(new_site: Callable[..., Site]) -> None:
    site = new_site(HITL_LOG_LEVEL="DEBUG", HITL_CALLS_PER_MINUTE="1000000").start()
    agent, rogue, ann, vic = site.agent(), site.agent(), site.person("ann"), site.person("vic")
    heard = RedisTraffic(site)

    asked = []
    for number in range(counts(50, 1_000)):
        canary, pk = f"sk_{MARK}_{number}", need(agent)
        for refused in mistakes(ann, vic, rogue, pk, canary) if number % EVERY == 0 else ():
            assert 400 <= refused.status_code < 500, refused.text
            assert MARK not in refused.text
        answer = fulfil(ann, pk, canary, notes="Here it is.")
        assert answer.status_code == 200
        assert MARK not in answer.text
        assert fulfil(ann, pk, canary).status_code == 409
        revealed = call(agent, pk, "reveal").json()["values"] if number % 3 else {"key": canary}
        assert revealed == {"key": canary}
        if number % 3 == 2:
            assert call(agent, pk, "ack").status_code == 200
        asked.append(pk)

    hits = {
        place: count
        for place, content in {
            **answers(agent, asked),
            **answers(ann, asked),
            **answers(rogue, []),
            **pages(site),
            **database(site),
            **heard.stop(),
            **files(site),
        }.items()
        if (count := found_in(content))
    }
    assert hits == {}


def test_the_search_would_find_them(new_site: Callable[..., Site]) -> None:
    for text in (f"x{MARK}", f"xy{MARK}", f"xyz{MARK}"):
        assert found_in(base64.b64encode(text.encode()))
    assert found_in(MARK.encode().hex().encode())
    site = new_site().start()
    agent, ann = site.agent(), site.person("ann")
    pk = need(agent)
    body = {"response_data": {"key": "sk_1", "account": "A-1"}, "notes": MARK}
    assert call(ann, pk, "fulfill", **body).is_success

    for places in (answers(agent, [pk]), files(site) if site.embedded else database(site)):
        assert any(map(found_in, places.values()))


def found_in(content: bytes) -> int:
    """Count the canaries in *content*: as text, in UTF-16, as hexadecimal digits, in base64."""
    mark = MARK.encode()
    # However the text before it is aligned: without the characters that it shares with its neighbours.
    coded = [base64.b64encode(b"x" * before + mark)[4 if before else 0 : -4] for before in range(3)]
    forms = {mark, MARK.encode("utf-16-le"), mark.hex().encode(), *coded}
    return sum(content.count(form) for form in forms)


def answers(who: Caller, ids: list[str]) -> dict[str, bytes]:
    """Return everything that *who* can read by the API."""
    paths = [f"/requests/{pk}" for pk in ids] + ["/statistics", "/request_templates"]
    found = {f"{who.name} {path}": who.http.get(path).content for path in paths}
    query, number = {"limit": "200"}, 0
    while True:
        page = who.http.get("/requests", params=query).json()
        found[f"{who.name} list {number}"] = json.dumps(page).encode()
        if not page["next"]:
            break
        query, number = dict(httpx.URL(page["next"]).params), number + 1
    if who.name.startswith("agent"):
        found[f"{who.name} events"] = json.dumps(who.events()).encode()
    return found


def pages(site: Site) -> dict[str, bytes]:
    """Return the pages that an administrator gets to by links, some hundreds of them."""
    found: dict[str, bytes] = {}
    with closing(site.log_in("ada")) as browser:
        waiting = ["/admin/", "/admin/events/event/"]
        while waiting and len(found) < PAGES_AT_MOST:
            path = waiting.pop(0)
            answer = browser.get(path, follow_redirects=True)
            found[path] = answer.content
            for link in re.findall(r'href="([^"#]+)', answer.text):
                target = str(answer.url.join(link.replace("&amp;", "&"))).removeprefix(site.url)
                if target.startswith("/admin/") and "log" not in target and target not in {*found, *waiting}:
                    waiting.append(target)
    assert len(found) > 20
    return found


def database(site: Site) -> dict[str, bytes]:
    """Return every table, as PostgreSQL writes it out; SQLite's are among the files."""
    if site.embedded:
        return {}
    found = {}
    with psycopg.connect(site.environment["DATABASE_URL"]) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT (FORMAT binary)') as rows:
                found[f"table {table}"] = b"".join(bytes(row) for row in rows)
    return found


def files(site: Site) -> dict[str, bytes]:
    """Return whatever the site has written to disk, its processes' logs among it."""
    folders = [site.data, *(program.folder for program in site.programs)]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in found}


class RedisTraffic:
    """Listen to every command that Redis is given, from now until :meth:`stop`."""

    def __init__(self, site: Site) -> None:
        self.commands: list[str] = []
        self.client = None if site.embedded else redis.Redis.from_url(site.environment["REDIS_URL"])
        self.thread = threading.Thread(target=self.listen, daemon=True)
        if self.client:
            self.thread.start()

    def listen(self) -> None:
        assert self.client
        with self.client.monitor() as monitor:  # type: ignore[no-untyped-call]
            for command in monitor.listen():
                self.commands.append(command["command"])
                if "the drill is over" in command["command"]:
                    return

    def stop(self) -> dict[str, bytes]:
        if not self.client:
            return {}
        self.client.publish("drill", "the drill is over")
        self.thread.join(20)
        assert len(self.commands) > 10
        return {"redis": "\n".join(self.commands).encode()}
