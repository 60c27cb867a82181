"""How drf-spectacular reads our views."""

from typing import Any

from drf_spectacular.openapi import AutoSchema as SpectacularSchema

LISTS = ("list", "files")


class AutoSchema(SpectacularSchema):
    """Show the answers of :func:`events.openapi.describe` as they are: no list of ours is a bare array."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False

    def get_operation_id(self) -> str:
        name = str(super().get_operation_id())
        return f"{name.removesuffix('retrieve')}list" if getattr(self.view, "action", "") in LISTS else name
