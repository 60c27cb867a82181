"""The files of a session as runs use them: found for an input, handed over, kept from an answer."""

from collections.abc import Iterable, Mapping
from typing import Any

from events.problems import Problem
from reviews import attachments
from reviews.models import Attachment
from runs.attached import PREFIX, Attached
from runs.models import Run
from runs.providers.provider import File, ProviderError
from runs.requirements import Requirements


def of_session(run: Run) -> list[Attached]:
    """Return the files that *run* may use, oldest first; what runs made comes before what was given."""
    found = attachments.of_session(run.agent_id, run.session_id)
    shown = {attachment.pk: attachment for attachment in (*found, *_of_own_items(run))}
    return [_as_attached(file) for file in sorted(shown.values(), key=_last_is_best)]


def of_payload(run: Run) -> dict[str, File]:
    """Return the contents that the payload of *run* refers to, by the name of the input.

    Raises:
        ProviderError: one is no file of the run's session, or the storage does not have it.
    """
    named = {
        name: value.removeprefix(PREFIX)
        for name, value in run.payload.items()
        if isinstance(value, str) and value.startswith(PREFIX)
    }
    if not named:
        return {}
    usable = {file.id for file in of_session(run)}
    rows = Attachment.objects.in_bulk([pk for pk in named.values() if pk in usable])
    found = {}
    for name, pk in named.items():
        if pk not in rows:
            raise ProviderError(f"The file of {name} is gone.", suggestion="Attach it again, then resume.")
        try:
            content = attachments.content_of(rows[pk])
        except Problem as problem:
            again = 10.0 if problem.status == 503 else None
            raise ProviderError(problem.detail, retry_in=again) from None
        found[name] = File(rows[pk].name, rows[pk].content_type, content)
    return found


def with_document(
    run_input: Mapping[str, Any], payload: dict[str, Any], needs: Requirements
) -> dict[str, Any]:
    """Return *payload* with the document that ``run_input`` names for the first file the model must have."""
    url = run_input.get("document_url")
    wanted = [given.name for given in needs.inputs if given.is_file and given.required]
    return {**payload, wanted[0]: url} if url and wanted and not payload.get(wanted[0]) else payload


def put_to(item_id: str, names: Iterable[str]) -> list[Attachment]:
    """Return the files that the people of these *names* put to the question, oldest first."""
    adders = [f"user:{name}" for name in names]
    return list(Attachment.objects.filter(item_id=item_id, added_by__in=adders).order_by("pk"))


def with_uploads(
    payload: dict[str, Any], uploads: Iterable[Attachment], needs: Requirements
) -> dict[str, Any]:
    """Return *payload* with the *uploads* of people: they beat whatever stood there.

    A file goes to the input that it suits: first to one that has none, else to one that has another.
    """
    inputs = [given for given in needs.inputs if given.is_file]
    taken: dict[str, str] = {}
    for file in uploads:
        suiting = [given.name for given in inputs if _as_attached(file).fits(given.kind)]
        free = [name for name in suiting if not payload.get(name) and name not in taken]
        if free or suiting:
            taken[(free or suiting)[0]] = f"{PREFIX}{file.pk}"
    return {**payload, **taken}


def keep_results(run: Run, found: Iterable[File]) -> list[dict[str, Any]]:
    """Keep the files that a provider sent, and say what they are."""
    whose = {"agent": str(run.agent_id), "session_id": run.session_id, "added_by": run.pk}
    kept = [attachments.keep_result(file.name, file.content, **whose) for file in found]
    return [{name: getattr(file, name) for name in attachments.SHOWN[:5]} for file in kept]


def show_with(item_id: str, ids: Iterable[str]) -> None:
    """Have the item show files that belong to its session."""
    Attachment.objects.filter(pk__in=list(ids), item__isnull=True).update(item_id=item_id)


def _of_own_items(run: Run) -> list[Attachment]:
    """Return what was put to the run's own questions: all there is where it has no session."""
    return list(Attachment.objects.filter(item__interrupt__checkpoint__run=run).order_by("pk"))


def _last_is_best(file: Attachment) -> tuple[bool, str]:
    return not file.added_by.startswith("run_"), file.pk


def _as_attached(file: Attachment) -> Attached:
    by_person = file.added_by.startswith("user:")
    return Attached(file.pk, file.name, file.content_type, file.size, by_person)
