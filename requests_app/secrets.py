"""Keep secret answers, each sealed for its agent, request and field, until their agent has fetched them."""

from collections.abc import Iterable, Iterator

from django.db.models import QuerySet

from events import log, sealing
from events.problems import Problem
from events.sealing import Sealed, Unreadable, present_version
from requests_app.models import ActionRequest, Secret

BATCH = 500


def seal(request: ActionRequest, values: dict[str, str]) -> None:
    """Keep *values*, secret answers by field."""
    Secret.objects.bulk_create(_sealed(request, field, value) for field, value in values.items())


def reveal(request: ActionRequest) -> dict[str, str]:
    """Return the secret answers of *request*, by field.

    Raises:
        Problem: 503 when a key is missing.
    """
    try:
        return {
            secret.field: sealing.unseal(_kept(secret), *_owner(request, secret.field))
            for secret in request.secrets.order_by("pk")
        }
    except Unreadable as error:
        raise Problem(503, "secrets_unreadable", str(error)) from None


def rewrap(secrets: Iterable[Secret]) -> tuple[int, int]:
    """Wrap the keys of *secrets* by the deployment's present key; the values stay as they are.

    Return how many were, and how many could not be read. What was acknowledged or rewrapped meanwhile is
    left alone: it may be gone, and must not come back.
    """
    changed = unreadable = 0
    for secret in secrets:
        try:
            sealed = sealing.rewrap(_kept(secret), *_owner(secret.request, secret.field))
        except Unreadable:
            unreadable += 1
            continue
        unchanged = Secret.objects.filter(pk=secret.pk, key_version=secret.key_version)
        changed += unchanged.update(key_version=sealed.key_version, wrapped_key=sealed.wrapped_key)
    return changed, unreadable


def outdated() -> QuerySet[Secret]:
    """Return the secrets that another key than the present one has wrapped."""
    return Secret.objects.exclude(key_version=present_version())


def rewrap_all() -> Iterator[tuple[int, int]]:
    """Rewrap what is :func:`outdated`, a batch a transaction; yield (rewrapped, unreadable) of each batch.

    Each batch stands by itself: stopped anywhere, it goes on from there.
    """
    rows, last = outdated().select_related("request").order_by("pk"), 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        with log.unit_of_work():
            done = rewrap(batch)
        yield done
        last = batch[-1].pk


def _sealed(request: ActionRequest, field: str, value: str) -> Secret:
    sealed = sealing.seal(value, *_owner(request, field))
    return Secret(
        request=request,
        field=field,
        key_version=sealed.key_version,
        wrapped_key=sealed.wrapped_key,
        sealed_value=sealed.sealed_value,
    )


def _kept(secret: Secret) -> Sealed:
    return Sealed(secret.key_version, bytes(secret.wrapped_key), bytes(secret.sealed_value))


def _owner(request: ActionRequest, field: str) -> tuple[object, ...]:
    return request.agent_id, request.pk, field
