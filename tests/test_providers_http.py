"""The tool ``http`` calls services that an administrator named, once a key, and no others."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from runs.providers import provider_of
from runs.providers.provider import Call, File, Finished, Pending, Progress, Provider, ProviderError
from tests.providers import DRIP, LOST, RESET, HTTPService, Reply, Trouble, in_json

pytestmark = pytest.mark.sqlite

PICTURE = File("cat.png", "image/png", b"\x89PNG and more")


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.HITL_RUN_HOSTS = ["127.0.0.1"]
    settings.HITL_RUN_CALL_SECONDS = 5


@pytest.fixture
def service() -> Iterator[HTTPService]:
    with HTTPService() as service:
        yield service


@pytest.fixture
def http() -> Provider:
    found = provider_of("http")
    assert found
    return found


def call(service: HTTPService, path: str = "/work", key: str = "run_1:1", **payload: Any) -> Call:
    return Call("", {"url": f"{service.url}{path}", **payload}, key)


def result(progress: Progress) -> Finished:
    assert isinstance(progress, Finished)
    return progress


def refused(provider: Provider, call: Call) -> ProviderError:
    with pytest.raises(ProviderError) as failure:
        provider.submit(call)
    return failure.value


def test_the_rest_of_the_payload_is_the_body_and_the_key_a_header(
    http: Provider, service: HTTPService
) -> None:
    done = result(http.submit(call(service, text="Hello", n=2)))

    assert done.output == {"done": {"text": "Hello", "n": 2}}
    (seen,) = service.calls
    assert (seen.method, seen.path, seen.key) == ("POST", "/work", "run_1:1")


def test_a_method_may_be_named(http: Provider, service: HTTPService) -> None:
    done = result(http.submit(call(service, "/v2/work", method="put", text="x")))

    assert done.output == {"done": {"text": "x"}}
    assert (service.calls[0].method, service.calls[0].path) == ("PUT", "/v2/work")


def test_what_is_read_stands_in_the_query(http: Provider, service: HTTPService) -> None:
    http.submit(call(service, "/work?a=1", method="GET", q="x y", n=[1]))

    assert service.calls[0].path == "/work?a=1&q=x+y&n=%5B1%5D"
    assert "too long" in str(refused(http, call(service, method="GET", q="x" * 70_000)))


def test_files_go_as_a_form(http: Provider, service: HTTPService) -> None:
    given = {"url": f"{service.url}/work", "image": "attachment:att_1", "size": {"w": 2}}
    http.submit(Call("", given, "k", files={"image": PICTURE}))

    (seen,) = service.calls
    assert seen.headers["content-type"].startswith("multipart/form-data")
    assert b'name="image"; filename="cat.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG' in seen.body
    assert b'{"w":2}' in seen.body
    assert b"att_1" not in seen.body


def test_no_file_can_add_a_header_to_its_part(http: Provider, service: HTTPService) -> None:
    odd = File('a"\r\nX-Admin: 1', "image/png\r\nX-Admin: 1", b"x")
    http.submit(Call("", {"url": f"{service.url}/work"}, "k", files={"image": odd}))

    assert b"\r\nX-Admin" not in service.calls[0].body


def test_one_key_is_carried_out_once(http: Provider, service: HTTPService) -> None:
    service.trouble(LOST)
    lost = refused(http, call(service))

    assert (lost.retry_in, lost.uncertain) == (5, False)
    assert result(http.submit(call(service))).output == {"done": {}}
    assert service.carried_out == {"run_1:1": 1}
    assert len(service.calls) == 2


def test_bytes_come_back_as_a_file(http: Provider) -> None:
    with HTTPService(result=Reply(200, PICTURE.content, "image/png")) as service:
        done = result(http.submit(call(service, "/render/cat.png")))

    assert done == Finished(None, files=(PICTURE,))


@pytest.mark.parametrize(
    "body", [b'{"id": 9007199254740993}', b'{"a": 1, "a": 2}', b'{"a": "\\u0000"}', b"[" * 100_000, b"{"]
)
def test_json_that_could_not_be_kept_exactly_comes_back_as_the_file_it_is(
    http: Provider, body: bytes
) -> None:
    with HTTPService(result=Reply(200, body)) as service:
        done = result(http.submit(call(service)))

    assert (done.output, done.files) == (None, (File("output.json", "application/json", body),))


def test_no_answer_but_a_status_is_nothing(http: Provider) -> None:
    with HTTPService(result=Reply(204)) as service:
        assert result(http.submit(call(service, method="DELETE"))) == Finished(None)


def test_what_an_answer_says_of_itself_is_taken_up(http: Provider) -> None:
    said = {"text": "x", "confidence": 0.25, "flags": ["pii", "odd", 1], "has_nsfw_concepts": [False, True]}
    with HTTPService(result=in_json(said)) as service:
        done = result(http.submit(call(service)))

    assert (done.flags, done.confidence) == (("nsfw", "pii"), 0.25)


# -- Services that take longer --------------------------------------------------------------------------


def test_a_slow_service_is_asked_where_it_says(http: Provider) -> None:
    with HTTPService(polls=1) as service:
        asked = call(service, "/v1/work?x=1")
        begun = http.submit(asked)
        assert isinstance(begun, Pending)
        assert http.look(asked, begun.handle) == Pending("/jobs/1", look_in=1)
        assert result(http.look(asked, begun.handle)).output == {"done": True}

    assert [seen.path for seen in service.calls] == ["/v1/work?x=1", "/jobs/1", "/jobs/1"]


@pytest.mark.parametrize(
    ("told", "handle"),
    [
        ({"status_url": "/v1/jobs/7?full=1"}, "/v1/jobs/7?full=1"),
        ({"status_url": "jobs/7"}, "/v1/jobs/7"),
        ({"id": "j-7"}, "/v1/work/j-7"),
        ({"id": 7}, "/v1/work/7"),
    ],
)
def test_a_service_may_say_in_json_where_to_ask(http: Provider, told: Any, handle: str) -> None:
    with HTTPService(polls=0) as service:
        service.accepted = in_json(told, 202)
        begun = http.submit(call(service, "/v1/work"))

    assert isinstance(begun, Pending)
    assert begun.handle == handle


@pytest.mark.parametrize(
    "there",
    [
        "http://127.0.0.1:1/x",
        "https://127.0.0.1/x",
        "//169.254.169.254/x",
        "http://evil.example.com/x",
        "http://a@127.0.0.1/x",
        "http://[::1",
        "file:///etc/passwd",
        "/" + "x" * 300,
        "",
    ],
)
def test_a_service_cannot_have_another_host_asked(http: Provider, there: str) -> None:
    with HTTPService(polls=0) as service:
        service.accepted = in_json({"status_url": there}, 202)
        told = str(refused(http, call(service)))

    assert "another host" in told or "where to ask" in told


@pytest.mark.parametrize(
    "handle", ["//evil.example.com/x", "@evil.example.com/", "/x y\r\nHost: z", "é", "?"]
)
def test_no_handle_leads_to_another_host(http: Provider, service: HTTPService, handle: str) -> None:
    try:
        http.look(call(service), handle)
    except ProviderError:
        assert not service.calls
    else:
        assert service.calls[0].headers["host"] == service.url.removeprefix("http://")


@pytest.mark.parametrize("status", ["queued", "RUNNING", "in_progress"])
def test_a_status_that_goes_on_is_waited_for(http: Provider, status: str) -> None:
    with HTTPService(result=in_json({"status": status})) as service:
        assert isinstance(http.look(call(service), "/jobs/1"), Pending)


def test_a_job_that_failed_says_why(http: Provider) -> None:
    said = in_json({"status": "failed", "error": "NSFW content"})
    with (
        HTTPService(result=said) as service,
        pytest.raises(ProviderError, match="The service failed: NSFW content") as failure,
    ):
        http.look(call(service), "/jobs/1")

    assert "Change what is asked for" in failure.value.suggestion


# -- What goes wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "told", "retry_in"),
    [
        (Trouble(400, b'{"detail": "No such size."}'), "refused this call (HTTP 400): No such size.", None),
        (Trouble(422, b'{"error": {"message": "Bad\\u202e."}}'), "(HTTP 422): Bad.", None),
        (Trouble(403, b"<html>no</html>", "text/html"), "refused this call (HTTP 403).", None),
        (Trouble(404, b"x" * 5_000, "text/plain; charset=hex"), "(HTTP 404): xxx", None),
        (Trouble(400, b"[" * 1000 + b"]" * 1000), "refused this call (HTTP 400).", None),
        (Trouble(429, headers={"Retry-After": "17"}), "no more calls at the moment (HTTP 429)", 17),
        (Trouble(503), "no more calls at the moment (HTTP 503)", 5),
        (Trouble(503, headers={"Retry-After": "9" * 400}), "(HTTP 503)", 3600),
        (Trouble(503, headers={"Retry-After": "Fri, 01 Jan 1999 00:00:00 GMT"}), "(HTTP 503)", 1),
        (Trouble(503, headers={"Retry-After": "soon"}), "(HTTP 503)", 5),
        (Trouble(409, headers={"Retry-After": "2"}), "(HTTP 409)", 2),
        (Trouble(500), "failed (HTTP 500)", 5),
        (Trouble(302, headers={"Location": "/elsewhere"}), "redirects are not followed", None),
        (RESET, "broke off the connection", 5),
        (Trouble(200, b"x", headers={"Content-Encoding": "gzip"}), "packed its answer", None),
    ],
)
def test_a_failure_says_why_and_whether_to_try_again(
    http: Provider, service: HTTPService, trouble: Trouble, told: str, retry_in: float | None
) -> None:
    service.trouble(trouble)

    failure = refused(http, call(service))

    assert told in str(failure)
    assert len(str(failure)) < 600
    assert (failure.retry_in, failure.uncertain) == (retry_in, False)
    assert len(service.calls) == 1


@pytest.mark.parametrize("trouble", [Trouble(seconds=20), DRIP])
def test_all_of_a_call_has_one_limit_of_time(
    http: Provider, service: HTTPService, settings: Any, trouble: Trouble
) -> None:
    settings.HITL_RUN_CALL_SECONDS = 0.5
    service.result = in_json("x" * 200)
    service.trouble(trouble)
    begun = time.monotonic()

    failure = refused(http, call(service))

    assert time.monotonic() - begun < 2
    assert "did not answer within 0.5 seconds" in str(failure)
    assert failure.retry_in == 5


def test_an_answer_is_read_up_to_the_size_of_an_attachment(http: Provider, settings: Any) -> None:
    settings.HITL_ATTACHMENT_MAX_MIB = 1
    with HTTPService(result=Reply(200, b"x" * (1024 * 1024 + 1), "image/png")) as service:
        assert "more than 1 MiB" in str(refused(http, call(service)))
        service.result = Reply(200, b"x" * 1024 * 1024, "image/png")
        assert len(result(http.submit(call(service, key="other"))).files[0].content) == 1024 * 1024


def test_nobody_there_is_tried_again(http: Provider) -> None:
    failure = refused(http, Call("", {"url": "http://127.0.0.1:1/"}, "k"))

    assert (str(failure), failure.retry_in) == ("The service cannot be reached.", 5)


# -- Where it may call ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("127.0.0.1", "localhost"),
        lambda url: url.replace("127.0.0.1", "127.1"),
        lambda url: url.replace("127.0.0.1", "2130706433"),
        lambda url: url.replace("127.0.0.1", "127.0.0.1."),
        lambda url: url.replace("127.0.0.1", "①27.0.0.1"),
        lambda url: url.replace("//", "//ann@"),
        lambda url: url.replace("//127.0.0.1", "//allowed.example.com@127.0.0.1"),
        lambda url: url.replace("http:", "ftp:"),
        lambda url: f" {url}",
        lambda url: f"{url}\n",
        lambda url: 7,
        lambda url: [url],
    ],
)
def test_no_other_host_is_called(http: Provider, service: HTTPService, settings: Any, change: Any) -> None:
    settings.HITL_RUN_HOSTS = ["127.0.0.1", "allowed.example.com"]
    payload = {"url": change(f"{service.url}/work")}

    assert http.validate("", payload)
    refused(http, Call("", payload, "k"))
    with pytest.raises(ProviderError):
        http.look(Call("", payload, "k"), "/jobs/1")
    assert service.calls == []


def test_an_entry_with_a_port_lets_no_other_port_be_called(
    http: Provider, service: HTTPService, settings: Any
) -> None:
    settings.HITL_RUN_HOSTS = ["127.0.0.1:1", "api.example.com:443", "[::1]:8443"]
    assert refused(http, call(service)).suggestion == (
        "Ask an administrator to add the host to the setting HITL_RUN_HOSTS, or use another."
    )
    for there in ("https://api.example.com/x", "https://[::1]:8443/"):
        assert http.validate("", {"url": there}) == []
    assert http.validate("", {"url": "https://api.example.com:8443/x"})

    settings.HITL_RUN_HOSTS = [service.url.removeprefix("http://")]
    assert result(http.submit(call(service)))


def test_plain_http_is_for_this_machine_alone(http: Provider, settings: Any) -> None:
    settings.HITL_RUN_HOSTS = ["api.example.com"]

    (issue,) = http.validate("", {"url": "http://api.example.com/"})

    assert "Only https" in issue.message
    assert http.validate("", {"url": "https://api.example.com/"}) == []


def test_the_environment_cannot_turn_a_call_elsewhere(
    http: Provider, service: HTTPService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert result(http.submit(call(service)))


def test_without_hosts_it_says_which_setting_to_make(
    http: Provider, service: HTTPService, settings: Any
) -> None:
    assert http.unavailable() == ""
    settings.HITL_RUN_HOSTS = []

    assert "set HITL_RUN_HOSTS" in http.unavailable()
    (issue,) = http.validate("", call(service).payload)
    assert (issue.field, "HITL_RUN_HOSTS" in issue.message) == ("url", True)


def test_what_is_missing_or_wrong_is_named(http: Provider) -> None:
    missing, method = http.validate("", {"method": "TRACE"})

    assert (missing.field, missing.missing) == ("url", True)
    assert (method.field, "POST, PUT" in method.suggestion) == ("method", True)
    assert http.validate("weather", {"url": "http://127.0.0.1/", "method": "get"}) == []


def test_a_method_that_was_never_validated_is_refused(http: Provider, service: HTTPService) -> None:
    assert "no method" in str(refused(http, call(service, method="TRACE")))
    assert service.calls == []
