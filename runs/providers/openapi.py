"""Read what an endpoint takes from the OpenAPI document of its service."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import orjson

from runs.providers.calling import Exchange, for_a_minute
from runs.providers.schemas import inputs_of, resolved
from runs.requirements import Requirements

PLACES = ("/openapi.json", "/schema")
DOCUMENT_AT_MOST = 1024 * 1024
METHODS = ("post", "put", "patch")
FILES = frozenset({"binary"})


@for_a_minute
def requirements_of(url: str) -> Requirements | None:
    """Return what the endpoint *url* takes; None where its service publishes no document that says so.

    Raises:
        ProviderError: the service does not answer.
    """
    there = httpx.URL(url)
    document = _published(there)
    operation = _operation(document, there.path)
    schema = _body_of(operation, document)
    if schema is None:
        return None
    whole = resolved(schema, document)
    title = operation.get("summary")
    return Requirements(
        model=url,
        title=title[:200] if isinstance(title, str) and title.isprintable() else "",
        inputs=inputs_of(schema, document, FILES),
        is_known=True,
        closed=whole.get("additionalProperties") is False,
    )


def _published(there: httpx.URL) -> dict[str, Any]:
    """Return the first of the documents at the usual places, an empty one where there is none."""
    exchange = Exchange("The service")
    for place in PLACES:
        url = there.copy_with(raw_path=place.encode(), fragment=None)
        answer = exchange.do(partial(_get, url), repeats=True)
        if answer.status_code == 200 and len(answer.content) <= DOCUMENT_AT_MOST:
            try:
                found = orjson.loads(answer.content)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    return {}


async def _get(url: httpx.URL, client: httpx.AsyncClient) -> httpx.Response:
    return await client.get(url, headers={"Accept": "application/json"})


def _operation(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the operation that takes a body at *path*; a path as it stands goes before a template."""
    paths = document.get("paths")
    known = paths if isinstance(paths, dict) else {}
    for base in _bases(document):
        if not path.startswith(base):
            continue
        rest = path.removeprefix(base) or "/"
        for template in (rest, *(name for name in known if _fits(name, rest))):
            if found := _with_body(known.get(template)):
                return found
    return {}


def _with_body(item: Any) -> dict[str, Any]:
    operations = [item.get(method) for method in METHODS] if isinstance(item, dict) else []
    return next((operation for operation in operations if isinstance(operation, dict)), {})


def _bases(document: dict[str, Any]) -> Iterator[str]:
    """Yield what the paths of *document* may stand below."""
    yield ""
    servers = document.get("servers")
    for server in servers[:10] if isinstance(servers, list) else ():
        url = server.get("url") if isinstance(server, dict) else None
        try:
            path = httpx.URL(url).path.rstrip("/") if isinstance(url, str) else ""
        except (httpx.InvalidURL, UnicodeError):
            path = ""
        if path:
            yield path


def _fits(template: str, path: str) -> bool:
    steps, given = template.split("/"), path.split("/")
    return len(steps) == len(given) and all(
        step == one or (bool(one) and re.fullmatch(r"\{[^{}]+\}", step) is not None)
        for step, one in zip(steps, given, strict=True)
    )


def _body_of(operation: dict[str, Any], document: dict[str, Any]) -> Any:
    """Return the schema of the body: of a form where it takes files, else of its JSON."""
    content = resolved(operation.get("requestBody"), document).get("content")
    kinds = content if isinstance(content, dict) else {}
    for kind in ("multipart/form-data", "application/json"):
        media = kinds.get(kind)
        if isinstance(media, dict) and isinstance(media.get("schema"), dict):
            return media["schema"]
    return None
