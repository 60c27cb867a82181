"""Where providers say that they have finished."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from events.problems import not_found
from runs import services, webhooks


@csrf_exempt
@require_POST
def receive(request: HttpRequest, run_id: str, token: str) -> HttpResponse:
    """Look at the run that the address is about; the body is not read."""
    if not webhooks.is_of(run_id, token):
        return not_found().response()
    services.finished_elsewhere(run_id)
    return HttpResponse(status=204)
