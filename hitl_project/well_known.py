"""`/.well-known/jwks.json`: the public keys with which anybody can verify a receipt."""

from django.http import HttpRequest, JsonResponse

from interrupts import receipts


def jwks(request: HttpRequest) -> JsonResponse:
    """Answer the keys; who sees a `kid` that is not among those it keeps may ask again."""
    return JsonResponse(
        receipts.public_keys(),
        content_type="application/jwk-set+json",
        headers={"Cache-Control": "public, max-age=300"},
    )
