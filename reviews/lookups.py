"""Compare with constants that stand in the SQL itself."""

from typing import Any

from django.db.models import Lookup


class Among(Lookup[Any]):
    """Match one of some constants, as ``__in`` does: ``Q(Among(F("status"), ("pending",)))``.

    A partial index serves a query only where the planner sees the index's own condition in it. SQLite sees
    none in parameters; PostgreSQL forgets it in a plan that it keeps for all parameters.
    """

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, parameters = self.process_lhs(compiler, connection)
        words = list(map(str, self.rhs))
        if not all(word.isidentifier() for word in words):
            raise ValueError("Only constants of this code may stand in SQL.")
        constants = ", ".join(f"'{word}'" for word in words)
        return f"{left} IN ({constants})", parameters
