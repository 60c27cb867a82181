"""Whatever is sent is judged without a fault, and what was put right once stays right."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.schema import admit
from runs.attached import Attached
from runs.registry import schema_of
from runs.requirements import Input, Issue, Requirements
from runs.validation import validate

pytestmark = pytest.mark.sqlite

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_names = st.sampled_from(
    ["prompt", "text", "Prompt", "image", "img", "mask", "width", "format", "n", "N", "ratio", "share", "on"]
)
_values = _json | st.sampled_from(
    ["TODO", " png", "3", "2 s", "50%", "true", "photo.png", "att_1", "attachment:att_1", "attachment:att_2",
     "https://example.com/a.png", "https://x.org/a.mp3", "data:image/png;base64,eA==", "data:,", "http://[",
     " "]
)  # fmt: skip
_files = st.lists(
    st.builds(
        Attached,
        st.sampled_from(["att_1", "att_2", "att_3"]),
        st.sampled_from(["photo.png", "a.mp3", "TODO"]),
        st.sampled_from(["image/png", "audio/mpeg", "application/octet-stream", ""]),
        st.integers(0, 1),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda file: file.id,
)
_defaults = st.none() | _values
_inputs = st.tuples(
    st.builds(
        Input, st.just("prompt"), required=st.booleans(), aliases=st.just(("text",)), default=_defaults
    ),
    st.builds(Input, st.just("image"), st.just("image"), st.booleans(), aliases=st.just(("img", "text"))),
    st.builds(Input, st.just("mask"), st.sampled_from(["image", "file"]), st.booleans(), default=_defaults),
    st.builds(
        Input,
        st.just("width"),
        st.just("integer"),
        rules=st.just({"minimum": 64, "multipleOf": 8}),
        default=_defaults,
    ),
    st.builds(
        Input,
        st.just("format"),
        st.just("choice"),
        rules=st.just({"enum": ["png", "JPEG"]}),
        default=_defaults,
    ),
    st.builds(
        Input, st.just("n"), st.just("number"), unit=st.sampled_from(["s", "%", ""]), default=_defaults
    ),
    st.builds(Input, st.just("ratio"), rules=st.just({"conflicts_with": ["width", "n"]}), default=_defaults),
    st.builds(Input, st.just("on"), st.just("boolean"), required=st.booleans(), default=_defaults),
)
_payloads = st.dictionaries(_names | st.text(max_size=5), _values, max_size=8)


@settings(deadline=None, max_examples=300)
@given(_inputs, _payloads, _files, st.booleans(), st.booleans())
def test_whatever_comes_is_judged_and_what_was_put_right_stays_right(
    inputs: tuple[Input, ...], payload: dict[str, Any], files: list[Attached], closed: bool, known: bool
) -> None:
    needs = Requirements("m", inputs=inputs, is_known=known, closed=closed)
    before = copy.deepcopy(payload)

    mended = validate(needs, payload, model="m", files=files)
    again = validate(needs, mended.payload, model="m", files=files)
    untouched = validate(needs, payload, model="m", files=files, fix=False)

    assert payload == before
    assert not again.fixes
    assert again.payload == mended.payload
    assert repr(untouched.payload) == repr(before)
    assert len({issue["field"] for issue in map(Issue.document, mended.errors)}) >= len(mended.missing)
    assert 0 <= mended.confidence <= 1
    admit(schema_of(needs, payload))
