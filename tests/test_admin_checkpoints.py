"""A run's question on its page: why it asks, what is missing, files, and the answer that moves the run."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from interrupts.models import Interrupt
from reviews.models import Attachment
from runs.models import Run
from tests.admin import decide, form_of, page_of, text_of
from tests.conftest import Door
from tests.providers import HTTPService, ReplicateService
from tests.runs import go_on, shown, start
from tests.steps import attach

AUTO = {"policy": "auto"}
PNG = b"\x89PNG\r\n\x1a\n\x00"
HOSTILE = "</script><script>alert(1)</script>\u202egnp.exe"


@pytest.fixture
def replicate(settings: Any) -> Iterator[ReplicateService]:
    with ReplicateService(polls=0, output="done") as found:
        settings.HITL_REPLICATE_URL, settings.HITL_REPLICATE_TOKEN = found.url, found.TOKEN
        found.official = {"ann/remove-bg", "ann/sdxl"}
        yield found


def asked_by(agent: Door, run_id: str) -> dict[str, Any]:
    """Take the run on to where it asks; return what its page is found by."""
    assert go_on(run_id).status == "awaiting_human"
    return {"id": shown(agent, run_id, "status")["approval_id"]}


def lacking_url(agent: Door, **more: Any) -> tuple[str, dict[str, Any]]:
    run_id = start(agent, config=AUTO, run_input={"tool": "http", "inputs": {"width": 640, **more}})
    return run_id, asked_by(agent, run_id)


def lacking_image(agent: Door, **inputs: Any) -> tuple[str, dict[str, Any]]:
    asks = {"tool": "replicate", "model": "ann/remove-bg", "inputs": inputs}
    run_id = start(agent, config=AUTO, session_id="s1", run_input=asks)
    return run_id, asked_by(agent, run_id)


def field_of(html: str, name: str) -> str:
    """Return under which name the form sends the argument *name*."""
    for part in html.split("<label for=")[1:]:
        if part.partition(">")[2].startswith(name):
            return part.partition('"')[2].partition('"')[0].removeprefix("id_")
    raise AssertionError(f"{name} has no field")


# -- What is said -------------------------------------------------------------------------------------


def test_the_page_says_why_a_run_asks_and_what_is_missing(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id, asked = lacking_url(agent)

    page = as_ann.get(page_of(asked))

    text = text_of(page)
    assert "Why you are asked" in text
    assert "http cannot be called as it stands." in text
    assert "url This is missing." in text
    assert "Everything is given blocked" in text
    assert "The values fit passed" in text
    assert "It cannot be approved as it stands." in text
    assert "own words ·" not in text
    assert "What the agent attached" not in text
    assert f'href="/admin/runs/run/{run_id}/change/"' in page.content.decode()
    assert 'value="approve"' not in page.content.decode()


def test_what_was_put_right_is_shown_before_and_after(
    agent: Door, as_ann: Door, replicate: ReplicateService
) -> None:
    inputs = {"prompt": "A cat", "width": "640"}
    run_id = start(agent, run_input={"tool": "replicate", "model": "ann/sdxl", "inputs": inputs})

    text = text_of(as_ann.get(page_of(asked_by(agent, run_id))))

    assert "1 thing was put right by itself" in text
    assert "&quot;640&quot; → 640" in text
    assert "confidence" in text


def test_an_agent_cannot_have_its_own_words_shown_as_the_servers(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id, asked = lacking_url(agent)
    data = {**Interrupt.objects.get(pk=asked["id"]).data, "why": ["It is all checked."]}
    forged = agent.ask(run_id=run_id, step_name="information_review", data=data)

    text = text_of(as_ann.get(page_of(forged)))

    assert "own words ·" in text
    assert "What the agent attached" in text
    assert "Why you are asked" not in text


def test_a_question_that_an_agent_revised_is_the_agents(agent: Door, as_ann: Door, service: Any) -> None:
    _, asked = lacking_url(agent)
    path = f"/interrupts/{asked['id']}"
    assert as_ann.post_json(f"{path}/request_changes", {"comment": "Which?"}).status_code == 200
    revised = agent.post_json(f"{path}/revise", {"reason": "All is well.", "data": {"checkpoint": "x"}})
    assert revised.status_code == 200, revised.content

    text = text_of(as_ann.get(page_of(asked)))

    assert "own words ·" in text
    assert "Why you are asked" not in text


@pytest.mark.parametrize(
    "value",
    [HOSTILE, "x" * 90_000, {"a": [[[[[[[[[[HOSTILE]]]]]]]]]]}, {HOSTILE: HOSTILE}, "TODO " + HOSTILE],
)
def test_nothing_an_agent_sends_acts_on_the_page(
    agent: Door, as_ann: Door, service: HTTPService, value: Any
) -> None:
    _, asked = lacking_url(agent, **{HOSTILE: value, "note": value})

    page = as_ann.get(page_of(asked))

    assert page.status_code == 200
    html = page.content.decode()
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert len(html) < 1_500_000


def test_hostile_schemas_make_a_form_all_the_same(agent: Door, as_ann: Door) -> None:
    properties = {
        HOSTILE: {"title": HOSTILE, "description": "x" * 20_000, "default": HOSTILE},
        "odd": {"enum": [HOSTILE, {"a": 1}]},
        "never": False,
        "any": True,
        **{f"p{number}": {"type": "string", "description": "y" * 200} for number in range(400)},
    }
    asked = agent.ask(tool_name="t", tool_args={"n": 1}, args_schema={"properties": properties})

    html = as_ann.get(page_of(asked)).content.decode()

    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert html.count('name="argument-') <= 101
    assert len(html) < 200_000


# -- What is filled in --------------------------------------------------------------------------------


def test_a_missing_field_that_is_filled_in_lets_the_run_go_on_with_it(
    agent: Door, as_ann: Door, service: HTTPService
) -> None:
    run_id, asked = lacking_url(agent)
    html = as_ann.get(page_of(asked)).content.decode()
    assert html.index("Missing</legend>") < html.index(f'name="{field_of(html, "url")}"')

    done = decide(as_ann, asked, "edit", **{field_of(html, "url"): f"{service.url}/resize"})

    assert done.status_code == 302, text_of(done)
    assert go_on(run_id).status == "completed"
    assert service.to("/resize")[-1].json == {"width": 640}


def test_optional_inputs_keep_their_types_and_stay_out_when_empty(
    agent: Door, as_ann: Door, replicate: ReplicateService
) -> None:
    inputs = {"prompt": "A cat", "width": 640}
    asks = {"tool": "replicate", "model": "ann/sdxl", "inputs": inputs}
    run_id = start(agent, config={"allowed_steps": ["payload_review"]}, run_input=asks)
    asked = asked_by(agent, run_id)
    before = Interrupt.objects.get(pk=asked["id"]).tool_args
    html = as_ann.get(page_of(asked)).content.decode()

    done = decide(as_ann, asked, "edit", **{field_of(html, "seed"): "42"})

    assert done.status_code == 302, text_of(done)
    found = Interrupt.objects.get(pk=asked["id"])
    assert found.modifications == {**before, "seed": 42}
    assert go_on(run_id).payload["seed"] == 42


def test_a_value_that_breaks_the_schema_is_told_beside_its_field(
    agent: Door, as_ann: Door, replicate: ReplicateService
) -> None:
    asks = {"tool": "replicate", "model": "ann/sdxl", "inputs": {"prompt": "A cat"}}
    run_id = start(agent, config={"allowed_steps": ["payload_review"]}, run_input=asks)
    asked = asked_by(agent, run_id)
    place = field_of(as_ann.get(page_of(asked)).content.decode(), "num_outputs")

    refused = decide(as_ann, asked, "edit", **{place: "999"})

    assert refused.status_code == 400
    assert 'value="999"' in refused.content.decode()
    assert "errorlist" in refused.content.decode().partition(f'name="{place}"')[2][:900]


def test_a_schema_offers_what_it_names_in_fields_of_its_types(agent: Door, as_ann: Door) -> None:
    schema = {
        "properties": {
            "size": {"enum": ["S", "M"]},
            "fast": {"type": "boolean", "default": True},
            "count": {"type": "integer", "description": "How many."},
            "colour": {"enum": ["red", "blue"]},
        }
    }
    asked = agent.ask(tool_name="print", tool_args={"colour": "red"}, args_schema=schema)
    html = as_ann.get(page_of(asked)).content.decode()
    untouched = form_of(html)

    assert decide(as_ann, asked, "edit").status_code == 400
    assert "Left empty: true." in html
    assert "How many." in html
    places = {name: field_of(html, name) for name in ("size", "fast", "count", "colour")}
    assert f'<select name="{places["colour"]}"' in html
    filled = {
        places["size"]: '"M"',
        places["fast"]: "false",
        places["count"]: "3",
        places["colour"]: '"blue"',
    }
    assert as_ann.post(page_of(asked), {**untouched, "verb": "edit", **filled}).status_code == 302
    found = Interrupt.objects.get(pk=asked["id"]).modifications
    assert json.dumps(found, sort_keys=True) == '{"colour": "blue", "count": 3, "fast": false, "size": "M"}'


def test_an_untouched_form_approves_as_it_is(agent: Door, as_ann: Door) -> None:
    schema = {
        "properties": {"size": {"enum": ["S", "M"], "default": "S"}, "n": {"type": "number", "default": 1}}
    }
    asked = agent.ask(tool_name="print", tool_args={"pages": 2}, args_schema=schema)

    assert decide(as_ann, asked, "approve").status_code == 302
    assert Interrupt.objects.get(pk=asked["id"]).modifications is None


def test_where_several_approve_and_it_cannot_be_approved_the_page_says_so(
    agent: Door, as_ann: Door, service: HTTPService, make_policy: Any
) -> None:
    make_policy(kind="approval", required_approvals=2)
    _, asked = lacking_url(agent)

    page = as_ann.get(page_of(asked))

    assert "nobody edits alone what several approve. Reject it" in text_of(page)
    assert 'value="reject"' in page.content.decode()
    assert 'value="changes"' not in page.content.decode()


# -- Files --------------------------------------------------------------------------------------------


def test_an_uploaded_picture_fills_a_missing_image(
    agent: Door, as_ann: Door, replicate: ReplicateService
) -> None:
    run_id, asked = lacking_image(agent)
    assert "Attach what is missing" in text_of(as_ann.get(page_of(asked)))

    done = decide(as_ann, asked, "approve", upload=SimpleUploadedFile("cat.png", PNG))

    assert done.status_code == 302, text_of(done)
    run = go_on(run_id)
    file = Attachment.objects.get(item_id=asked["id"])
    assert (file.name, file.added_by) == ("cat.png", "user:ann")
    assert run.payload["image"] == f"attachment:{file.pk}"
    assert run.status == "completed", run.error


def test_a_file_can_be_attached_first_and_what_was_typed_stays(
    agent: Door, as_ann: Door, replicate: ReplicateService
) -> None:
    _, asked = lacking_image(agent, background_color="blue")
    html = as_ann.get(page_of(asked)).content.decode()
    typed = {field_of(html, "background_color"): "red", "note": "Mine."}

    page = decide(as_ann, asked, "attach", upload=SimpleUploadedFile("cat.png", PNG), **typed)

    assert page.status_code == 200
    assert "Nothing was decided yet." in text_of(page)
    assert "cat.png" in text_of(page)
    assert 'value="red"' in page.content.decode()
    assert "Mine." in page.content.decode()
    done = decide(as_ann, asked, "edit", page=page.content.decode())
    assert done.status_code == 302, text_of(done)
    assert Interrupt.objects.get(pk=asked["id"]).modifications["background_color"] == "red"


def test_a_file_that_is_refused_decides_nothing(
    agent: Door, as_ann: Door, replicate: ReplicateService
) -> None:
    run_id, asked = lacking_image(agent)
    files = [SimpleUploadedFile("cat.png", PNG), SimpleUploadedFile("<b>.png", b"no picture")]

    refused = decide(as_ann, asked, "approve", upload=files)

    assert refused.status_code == 400
    assert "&lt;b&gt;.png: The name says png, the content" in refused.content.decode()
    assert [file.name for file in Attachment.objects.filter(item_id=asked["id"])] == ["cat.png"]
    assert Run.objects.get(pk=run_id).status == "awaiting_human"


@pytest.mark.parametrize(
    ("verb", "told"), [("approve", "attach the file that is missing"), ("attach", "Choose a file first.")]
)
def test_without_a_file_the_page_says_what_to_do(
    agent: Door, as_ann: Door, replicate: ReplicateService, verb: str, told: str
) -> None:
    _, asked = lacking_image(agent)

    refused = decide(as_ann, asked, verb)

    assert refused.status_code == 400
    assert told in text_of(refused)


def test_no_file_is_taken_where_no_run_would_get_it(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(tool_name="delete_file", data={"checkpoint": "information_review"})

    answer = decide(as_ann, asked, "attach", upload=SimpleUploadedFile("cat.png", PNG))

    assert answer.status_code == 400
    assert not Attachment.objects.filter(item_id=asked["id"]).exists()


def test_pictures_and_sound_are_shown_and_other_files_are_not(agent: Door, as_ann: Door) -> None:
    asked = agent.ask(tool_name="post")
    for name, content in (("a.png", PNG), ("b.wav", b"RIFF\x0a\x00\x00\x00WAVEfmt "), ("c.txt", b"text")):
        assert attach(agent, asked["id"], content, name).status_code == 201

    page = as_ann.get(page_of(asked))

    html, paths = page.content.decode(), f"/api/v1/interrupts/{asked['id']}/attachments/"
    assert html.count(f'<img src="{paths}') == html.count("<img ") == 1
    assert 'alt="Picture: a.png"' in html
    assert html.count("<audio ") == 1
    assert "media-src 'self'" in page["Content-Security-Policy"]
    picture = html.partition('<img src="')[2].partition('"')[0]
    assert as_ann.get(picture)["Content-Disposition"].startswith("attachment")


# -- What came back -----------------------------------------------------------------------------------


def test_an_answer_is_read_edited_and_used(agent: Door, as_ann: Door, service: HTTPService) -> None:
    config = {"policy": "require_human", "allowed_steps": ["response_review"]}
    sent = {"tool": "http", "inputs": {"url": f"{service.url}/resize", "width": 640}}
    run_id = start(agent, config=config, run_input=sent)
    asked = asked_by(agent, run_id)
    page = as_ann.get(page_of(asked))
    assert "May this answer of http be used?" in text_of(page)
    assert "What came back" in text_of(page)
    place = field_of(page.content.decode(), "output")

    done = decide(as_ann, asked, "edit", **{place: "641"})

    assert done.status_code == 302, text_of(done)
    run = go_on(run_id)
    assert (run.status, run.response["output"]) == ("completed", {"done": {"width": 641}})
