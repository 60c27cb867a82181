"""The HTTP routes of policies, grants and delegations (contract: Tool policies)."""

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agents.permissions import Access
from agents.viewsets import CallerViewSet
from events.openapi import WRITE_ERRORS, describe, ref
from events.problems import not_found
from reviews import delegations, evaluation, grants, policy_services
from reviews import policy_bodies as bodies
from reviews import policy_serializers as serializers
from reviews.api import sent, user_called
from reviews.bodies import moment_of
from reviews.models import DECIDE, VIEW, Delegation, Grant, Policy
from reviews.selectors import one

ERRORS = (400, 401, 403, 413, 415, 429)


def _listed(name: str) -> dict[str, Any]:
    results = {"type": "array", "items": ref(name)}
    return {"type": "object", "properties": {"results": results}, "required": ["results"]}


class PolicyViewSet(CallerViewSet):
    """Say which calls must ask; and ask that."""

    lookup_value_regex = r"[^/]+"
    access = {
        "evaluate": evaluation.EVALUATES,
        "list": Access(permission="reviews.change_policy"),
        "retrieve": Access(permission="reviews.change_policy"),
        "create": Access(permission="reviews.add_policy"),
        "partial_update": Access(permission="reviews.change_policy"),
        "destroy": Access(permission="reviews.delete_policy"),
    }

    @describe(
        "Ask whether a call needs a person",
        body=bodies.EVALUATE,
        answer=ref("Evaluation"),
        errors=ERRORS,
        description="`version` names the state of all rules. `If-None-Match` with the `ETag`: 304 while so.",
    )
    @action(detail=False, methods=["post"])
    def evaluate(self, request: Request) -> Response:
        known = request.headers.get("If-None-Match", "")
        status, document, headers = evaluation.evaluate(self.caller, sent(request, bodies.EVALUATE), known)
        return Response(document, status, headers=headers)

    @describe("List the policies in their order", answer=_listed("Policy"), errors=(401, 403, 429))
    def list(self, request: Request) -> Response:
        return Response({"results": [serializers.policy(row) for row in Policy.objects.all()]})

    @describe("Show a policy", answer=ref("Policy"))
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(serializers.policy(one(Policy.objects.all(), pk)))

    @describe("Make a policy", body=bodies.CREATE, answer=ref("Policy"), status=201, errors=ERRORS)
    def create(self, request: Request) -> Response:
        fields = bodies.fields_of(sent(request, bodies.CREATE), needed=True)
        made = policy_services.create_policy(self.caller, **fields)
        return Response(serializers.policy(made), status=201)

    @describe("Change a policy", body=bodies.CHANGE, answer=ref("Policy"), errors=WRITE_ERRORS)
    def partial_update(self, request: Request, pk: str) -> Response:
        body = sent(request, bodies.CHANGE)
        policy = one(Policy.objects.all(), pk)
        if body.get("version", policy.version) != policy.version:
            raise policy_services.changed_meanwhile()
        fields = bodies.fields_of(body, needed=False)
        return Response(serializers.policy(policy_services.change_policy(policy, self.caller, **fields)))

    @describe("Delete a policy", answer=None, status=204, errors=(401, 403, 404, 429))
    def destroy(self, request: Request, pk: str) -> Response:
        policy_services.delete_policy(one(Policy.objects.all(), pk), self.caller)
        return Response(status=204)


class GrantViewSet(CallerViewSet):
    """What people have allowed in advance."""

    lookup_value_regex = r"[^/]+"
    access = {"list": Access(permission=VIEW), "destroy": Access(permission=DECIDE)}

    @describe("List the grants in force", answer=_listed("Grant"), errors=(401, 403, 429))
    def list(self, request: Request) -> Response:
        rows = grants.all_in_force().select_related("granted_by")
        return Response({"results": [serializers.grant(row) for row in rows]})

    @describe("Revoke a grant", answer=ref("Grant"), errors=(401, 403, 404, 429))
    def destroy(self, request: Request, pk: str) -> Response:
        grant = one(Grant.objects.select_related("granted_by"), pk)
        grants.revoke(grant, by=self.caller)
        return Response(serializers.grant(grant))


class DelegationViewSet(CallerViewSet):
    """Who answers in whose place."""

    lookup_value_regex = r"[^/]+"
    access = {
        "list": Access(permission=VIEW),
        "create": Access(permission=DECIDE),
        "destroy": Access(permission=DECIDE),
    }

    @describe("List the delegations", answer=_listed("Delegation"), errors=(401, 403, 429))
    def list(self, request: Request) -> Response:
        rows = Delegation.objects.select_related("absent", "substitute")
        return Response({"results": [serializers.delegation(row) for row in rows]})

    @describe(
        "Name a substitute", body=bodies.DELEGATION, answer=ref("Delegation"), status=201, errors=ERRORS
    )
    def create(self, request: Request) -> Response:
        body = sent(request, bodies.DELEGATION)
        made = delegations.delegate(
            self.caller,
            absent=user_called("absent", body.get("absent", self.caller.name)),
            substitute=user_called("substitute", body["substitute"]),
            starts_at=moment_of("starts_at", body["starts_at"]),
            ends_at=moment_of("ends_at", body["ends_at"]),
            note=body.get("note", ""),
        )
        return Response(serializers.delegation(made), status=201)

    @describe("Take a delegation back", answer=None, status=204, errors=(401, 403, 404, 429))
    def destroy(self, request: Request, pk: str) -> Response:
        if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
            raise not_found()
        delegations.end(one(Delegation.objects.select_related("absent", "substitute"), pk), self.caller)
        return Response(status=204)
