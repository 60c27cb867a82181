"""Ask for what only a person can do, and do it: the life of action requests in nine steps over HTTP.

    HITL_API_KEY=hitl_… OPERATOR_KEY=hitl_… python examples/action_requests.py

The agent asks with its key; the operator answers with a personal key made in the admin.
"""

import os
from typing import Any

import httpx

URL = os.environ.get("HITL_URL", "http://127.0.0.1:8000")
BODY = {
    "agent_id": "stripe-agent",
    "request_type": "api_key",
    "title": "Stripe API key required",
    "description": "Billing needs credentials for the live account.",
    "required_fields": {"api_key": "Stripe API key (sk_live_...)"},
    "priority": "high",
    "context": {"service": "stripe", "env": "production"},
}


def door(variable: str) -> httpx.Client:
    """Open the API to the key in an environment variable."""
    headers = {"Authorization": f"Bearer {os.environ[variable]}"}
    return httpx.Client(base_url=f"{URL}/hitl/", headers=headers, timeout=30)


def answer(response: httpx.Response) -> Any:
    """Return the JSON of a success; say what was wrong otherwise."""
    if not response.is_success:
        raise SystemExit(f"{response.request.url} answered {response.text}")
    return response.json()


def main() -> None:
    """Take the nine steps."""
    with door("HITL_API_KEY") as agent, door("OPERATOR_KEY") as operator:
        up = httpx.get(f"{URL}/healthz").is_success
        print(f"1. The server is {'up' if up else 'down'}.")

        created = answer(agent.post("requests", json=BODY))
        print(f"2. Asked: {created['id']} is {created['status']}.")
        other = answer(agent.post("requests", json={**BODY, "title": "A second account"}))

        print(f"3. There are {len(answer(agent.get('requests'))['results'])} requests.")
        pending = answer(operator.get("requests", params={"status": "pending", "agent_id": "stripe-agent"}))
        print(f"4. {len(pending['results'])} of them wait for a person.")
        path = f"requests/{created['id']}"
        print(f"5. Read: {answer(operator.get(path))['title']}.")

        body = {"response_data": {"api_key": "sk_live_123"}, "notes": "From the Stripe dashboard."}
        done = answer(operator.post(f"{path}/fulfill", json=body))
        print(f"6. Fulfilled by {done['fulfilled_by']}: {done['notes']}")
        print(f"7. {figures(agent)}")

        body = {"reason": "One account is enough."}
        done = answer(operator.post(f"requests/{other['id']}/reject", json=body))
        print(f"8. Rejected by {done['rejected_by']}: {done['rejection_reason']}")
        print(f"9. {figures(agent)}")


def figures(agent: httpx.Client) -> str:
    """Say in a line how many there are of each."""
    found = answer(agent.get("statistics"))
    by_status = ", ".join(f"{count} {status}" for status, count in found["by_status"].items())
    return f"Of {found['total_requests']}: {by_status}; {found['pending_requests']} pending."


if __name__ == "__main__":
    main()
