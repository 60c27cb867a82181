"""Fill a fresh database with agents and people; print their keys as JSON (see `tests.drills.sites`)."""

import json
import sys

import django

AGENTS = 90
VOTERS = 32
PEOPLE = {"ann": "reviewer", "bob": "reviewer", "carol": "auditor", "vic": "viewer", "ada": "administrator"}


def main() -> None:
    from django.contrib.auth.models import Group, User  # noqa: PLC0415 - after django.setup()

    from agents import keys  # noqa: PLC0415

    agents = [
        keys.create_key(keys.create_agent(f"agent-{number:02}"), label="of the drill")[1]
        for number in range(AGENTS)
    ]
    people = {}
    for name, role in PEOPLE.items():
        user = User.objects.create_user(name, password=f"{name}-has-a-password", is_staff=True)
        user.groups.set(Group.objects.filter(name=role))
        people[name] = keys.create_key(user)[1]
    groups = {name: Group.objects.create(name=name) for name in ("finance", "legal", "three")}
    reviewer = Group.objects.get(name="reviewer")
    for number in range(VOTERS):  # the first twenty are of finance, the last twenty of legal
        user = User.objects.create_user(f"voter-{number:02}")
        found = {"finance": number < 20, "legal": number >= 12, "three": number % 10 == 5}
        user.groups.set([reviewer, *(groups[name] for name, is_of in found.items() if is_of)])
        people[user.username] = keys.create_key(user)[1]
    sys.stdout.write(json.dumps({"agents": agents, "people": people}))


if __name__ == "__main__":
    django.setup()
    main()
