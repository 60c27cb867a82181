"""Fill the tables: many rows like one that the server itself has written."""

import re

import orjson

from benchmarks.load import call
from benchmarks.measures.question import asking, asking_reference
from benchmarks.stand import Stand

OPEN_SHARE = 10  # one in so many is open


def pk(number: int) -> str:
    """Return the id of the row with *number*; they sort by it, and before ids that are drawn."""
    return f"int_{number:026}"


async def fill(stand: Stand, start: int, end: int) -> None:
    """Add the rows numbered from *start* to below *end*, of all agents in turn, and the reference's."""
    if start == 0:
        stand.truncate()
        answer = await call(stand.wsgi.port, asking(list(stand.keys.values()))())
        await call(stand.fastapi.port, asking_reference(list(stand.keys))())
        stand.template = orjson.loads(answer.body)["id"]
    names = sorted(stand.keys)
    stand.sql(
        f"""
        INSERT INTO {{item}} SELECT (jsonb_populate_record(t, jsonb_build_object(
            'id', 'int_' || lpad(n::text, 26, '0'),
            'agent_id', (ARRAY{names})[n % {len(names)} + 1],
            'idempotency_key', '', 'created_at', now() - took - interval '1 day' * (n % 30),
            'expires_at', now() + interval '30 days',
            'status', CASE WHEN n % {OPEN_SHARE} = 0 THEN 'pending' ELSE 'approved' END,
            'resolved_at', CASE WHEN n % {OPEN_SHARE} > 0 THEN now() - interval '1 day' * (n % 30) END,
            'response_time', CASE WHEN n % {OPEN_SHARE} > 0 THEN took END,
            'resolved_by', CASE WHEN n % {OPEN_SHARE} = 0 THEN '' ELSE 'ann' END
        ))).* FROM {{item}} t, (
            SELECT n, interval '1 second' * power(2, 5 + 4 * (random() + random() + random())) AS took
            FROM generate_series({start}, {end - 1}) n
        ) numbers WHERE t.id = '{stand.template}'
        """
    )
    stand.sql(
        f"""
        INSERT INTO {{interrupt}} SELECT (jsonb_populate_record(t, jsonb_build_object(
            'reviewitem_ptr_id', 'int_' || lpad(n::text, 26, '0')
        ))).* FROM {{interrupt}} t, generate_series({start}, {end - 1}) n
        WHERE t.reviewitem_ptr_id = '{stand.template}'
        """
    )
    stand.reference.execute(
        f"""
        INSERT INTO item (id, agent, status, reason, session_id, tool_name, tool_args, data, resolved_by)
        SELECT 'int_' || lpad(n::text, 26, '0'), (ARRAY{names})[n % {len(names)} + 1],
            CASE WHEN n % {OPEN_SHARE} = 0 THEN 'pending' ELSE 'approved' END,
            t.reason, t.session_id, t.tool_name, t.tool_args, t.data, 'ann'
        FROM generate_series({start}, {end - 1}) n, (SELECT * FROM item LIMIT 1) t
        """
    )
    stand.sql("UPDATE {stream} SET open_items = 0")
    stand.inside.ask("recount")
    for table in ("{item}", "{interrupt}", "{tally}"):
        stand.sql(f"VACUUM ANALYZE {table}")
    stand.reference.execute("VACUUM ANALYZE item")
    stand.db.execute("CHECKPOINT")


def key_of(stand: Stand, number: int) -> str:
    """Return the key of the agent whose row has *number*."""
    return stand.keys[sorted(stand.keys)[number % len(stand.keys)]]


def bearer(request: bytes) -> str:
    """Return the ``Authorization`` of a request."""
    found = re.search(rb"Authorization: (Bearer \S+)", request)
    assert found is not None
    return found[1].decode()
