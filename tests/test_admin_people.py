"""People and roles in the admin: given by ticking boxes, with what happened left as it was."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User

from tests.conftest import Door


@pytest.fixture
def as_root(db: None, enter: Any) -> Door:
    found: Door = enter(User.objects.create_superuser("root", password="root-has-a-password"))
    return found


def test_roles_are_given_and_shown_by_ticks(as_root: Door, vic: User) -> None:
    page, role = f"/admin/auth/user/{vic.pk}/change/", Group.objects.get(name="auditor")
    date = {"date_joined_0": "2030-01-31", "date_joined_1": "12:00:00"}

    as_root.post(page, {"username": "vic", "is_active": "on", "is_staff": "on", "groups": [role.pk], **date})

    assert list(vic.groups.all()) == [role]
    box = f'<input type="checkbox" name="groups" value="{role.pk}"'
    (ticked,) = [line for line in as_root.get(page).content.decode().splitlines() if box in line]
    assert ticked.split(box)[1].partition(">")[0].endswith(" checked")
    assert User.objects.get(pk=vic.pk).date_joined == vic.date_joined


def test_permissions_stand_under_their_model_at_the_cost_of_a_few_queries(
    as_root: Door, django_assert_max_num_queries: Any
) -> None:
    as_root.get("/admin/auth/group/add/")

    with django_assert_max_num_queries(12):
        page = as_root.get("/admin/auth/group/add/").content.decode()

    assert page.count('name="permissions"') == Permission.objects.count()
    assert page.count("<legend>") == Permission.objects.values("content_type").distinct().count()


def test_a_role_is_made_of_what_was_ticked(as_root: Door) -> None:
    ticked = list(Permission.objects.filter(codename__startswith="view_")[:3])

    as_root.post("/admin/auth/group/add/", {"name": "reader", "permissions": [one.pk for one in ticked]})

    assert set(Group.objects.get(name="reader").permissions.all()) == set(ticked)
