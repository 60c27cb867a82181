"""The API does what its own document says, for bodies and parameters nobody thought of."""

from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from hitl_project.wsgi import application
from tests.conftest import API, Door
from tests.routes import ROUTES, Route
from tests.test_access import personal_door

QUICK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LEFT_OUT = [
    positive_data_acceptance,  # what the schema allows may still be refused: an id that is not there
    ignored_auth,  # tests/test_access.py takes the key away from every route
]


@pytest.fixture
def document(db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the document of the server itself, called in this process."""
    monkeypatch.setattr(connection, "close", lambda: None)  # it holds the transaction of the test
    return schemathesis.openapi.from_wsgi(f"{API}/schema", application)


@pytest.mark.parametrize("route", [pytest.param(route, id=route.call) for route in ROUTES])
def test_whatever_is_sent_the_answer_is_one_the_document_has(
    document: Any, agent: Door, ann: User, route: Route
) -> None:
    method, path = route.call.split(" ")
    operation = document[f"{API}{path.replace('<pk>', '{id}').replace('<', '{').replace('>', '}')}"][method]
    decides = route.scope in ("on_behalf", "")
    key = (personal_door(ann) if decides else agent).defaults["HTTP_AUTHORIZATION"]

    @QUICK
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        if "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = agent.ask(type="feedback")["id"]
        case.call_and_validate(headers={"Authorization": key}, excluded_checks=LEFT_OUT)

    send()
