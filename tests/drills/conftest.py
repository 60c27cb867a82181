"""One site that all drills share, and sites of their own for those that break things."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.drills.callers import Caller
from tests.drills.sites import Site, Template


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("drill")


@pytest.fixture(scope="package")
def template() -> Iterator[Template]:
    made = Template()
    yield made
    made.remove()


@pytest.fixture(scope="package")
def site(template: Template) -> Iterator[Site]:
    """A running site; leave it as you found it."""
    shared = Site(template).start()
    yield shared
    shared.remove()


@pytest.fixture
def new_site(template: Template) -> Iterator[Callable[..., Site]]:
    """Return a function that makes a site for this test alone."""
    made: list[Site] = []

    def make(**settings: str) -> Site:
        made.append(Site(template, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for site in made:
        site.remove()


@pytest.fixture
def asker(site: Site) -> Caller:
    """An agent of the shared site that nobody has used yet."""
    return site.agent()


@pytest.fixture
def ann(site: Site) -> Caller:
    return site.person("ann")


@pytest.fixture
def bob(site: Site) -> Caller:
    return site.person("bob")
