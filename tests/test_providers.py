"""Providers are found by the name of a tool, and one more is a file and a line."""

from typing import Any

import pytest

from hitl_project import checks
from runs import providers
from runs.providers import all_providers, names, provider_of
from runs.providers.provider import Call, Finished, Progress, Provider
from runs.requirements import Requirements

pytestmark = pytest.mark.sqlite


def test_a_tool_is_found_by_its_name_and_by_no_other() -> None:
    assert names() == ["http", "openai", "replicate"]
    assert [type(provider_of(name)) for name in names()] == [type(one) for one in all_providers()]
    assert type(provider_of("replicate-agent-tool")) is type(provider_of("replicate"))
    for name in ("", "HTTP", "http ", "echo"):
        assert provider_of(name) is None


class EchoProvider(Provider):
    name, title, repeats_safely = "echo", "Echo", True

    def capabilities(self, model: str) -> dict[str, Any]:
        return {"name": self.title, "description": "Says what it was told."}

    def submit(self, call: Call) -> Progress:
        return Finished(call.payload)


def test_one_more_provider_is_a_class_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "REGISTERED", (*providers.REGISTERED, EchoProvider))

    echo = provider_of("echo")

    assert names()[-1] == "echo"
    assert echo
    assert echo.submit(Call("", {"x": 1}, "k")) == Finished({"x": 1})


@pytest.mark.parametrize("provider", all_providers(), ids=names())
def test_every_provider_says_what_it_is_and_asks_nobody_for_that(provider: Provider, settings: Any) -> None:
    settings.HITL_OPENAI_KEY = settings.HITL_REPLICATE_TOKEN = ""
    settings.HITL_RUN_HOSTS = []

    assert {"name", "description"} <= provider.capabilities("").keys()
    assert "HITL_" in provider.unavailable()
    assert provider.suggest({"prompt": "x", "inputs": {"n": 1}}, Requirements()) == {"prompt": "x", "n": 1}


@pytest.mark.parametrize(
    ("name", "value", "is_right"),
    [
        ("HITL_OPENAI_URL", "http://models.example.com/v1", False),
        ("HITL_OPENAI_URL", "http://127.0.0.1:11434/v1", True),
        ("HITL_REPLICATE_URL", "api.replicate.com", False),
        ("HITL_REPLICATE_URL", "https://ann:secret@api.replicate.com", False),
        ("HITL_PUBLIC_URL", "hitl.example.com", False),
        ("HITL_PUBLIC_URL", "http://hitl.example.com", True),
        ("HITL_PUBLIC_URL", "", True),
    ],
)
def test_an_address_that_cannot_work_is_an_error(
    settings: Any, name: str, value: str, is_right: bool
) -> None:
    setattr(settings, name, value)

    found = checks.services_have_addresses(None)

    assert [error.id for error in found] == ([] if is_right else ["hitl.E006"])
    assert all(name in str(error.msg) and "secret" not in str(error.msg) for error in found)


@pytest.mark.parametrize("host", ["https://api.example.com", "*.example.com", "ann@x", "api.example.com/v1"])
def test_a_host_that_never_matches_is_warned_of(settings: Any, host: str) -> None:
    settings.HITL_RUN_HOSTS = ["api.example.com:8443", "[::1]:80", host]

    (warning,) = checks.listed_hosts_can_match(None)

    assert (warning.id, host in str(warning.msg)) == ("hitl.W003", True)
