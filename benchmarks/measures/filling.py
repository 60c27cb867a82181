"""Fill the tables, ours and the reference's, with so many rows, by statements of the database alone."""

from benchmarks.stand import Stand


def fill(stand: Stand, rows: int, *, overdue: int = 0) -> None:
    """Have *rows* items, one in a hundred of them open, and the first *overdue* past their deadline."""
    stand.truncate()
    names = list(stand.keys)
    stand.sql(
        f"""
        INSERT INTO {{item}} (id, kind, title, agent_id, agent_name, session_id, run_id, batch_id, tool_name,
            priority, on_timeout, metadata, status, version, created_at, expires_at, resolved_at, resolved_by,
            content_hash, revision, stage, idempotency_key, body_digest, outcome)
        SELECT 'int_' || LPAD(n::text, 26, '0'), 'approval', 'Delete report ' || n,
            (ARRAY{names})[1 + n % {len(names)}], 'janitor', 'session-' || n % 1000, '', '', 'delete_file',
            1 + n % 4, 'expire', '{{{{}}}}', CASE WHEN open THEN 'pending' ELSE 'approved' END, 1, NOW(),
            CASE WHEN n <= {overdue} THEN NOW() - INTERVAL '1 minute' ELSE NOW() + INTERVAL '1 day' END,
            CASE WHEN open THEN NULL ELSE NOW() END, CASE WHEN open THEN '' ELSE 'ann' END,
            REPEAT('0', 64), 1, 0, '', '', ''
        FROM GENERATE_SERIES(1, {rows}) n, LATERAL (SELECT n <= {overdue} OR n % 100 = 0 AS open) o
        """
    )
    stand.sql(
        f"""
        INSERT INTO {{interrupt}} (reviewitem_ptr_id, reason, data, tool_args, call_id, step_name,
            allowed_decisions, rejection_reason)
        SELECT 'int_' || LPAD(n::text, 26, '0'), 'Delete report ' || n, '{{{{"size": 1048576}}}}',
            '{{{{"path": "/srv/report.pdf"}}}}', '', '', '["approve", "edit", "reject"]', ''
        FROM GENERATE_SERIES(1, {rows}) n
        """
    )
    stand.reference.execute(
        f"""
        INSERT INTO item (id, agent, status, reason, session_id, tool_name, tool_args, data, expires_at)
        SELECT 'int_' || LPAD(n::text, 26, '0'), (ARRAY{names})[1 + n % {len(names)}],
            CASE WHEN n <= {overdue} OR n % 100 = 0 THEN 'pending' ELSE 'approved' END, 'Delete report ' || n,
            'session-' || n % 1000, 'delete_file', '{{"path": "/srv/report.pdf"}}', '{{"size": 1048576}}',
            CASE WHEN n <= {overdue} THEN NOW() - INTERVAL '1 minute' ELSE NOW() + INTERVAL '1 day' END
        FROM GENERATE_SERIES(1, {rows}) n
        """.encode()
    )
    stand.sql("VACUUM ANALYZE {item}")
    stand.sql("VACUUM ANALYZE {interrupt}")
    stand.reference.execute("VACUUM ANALYZE item")
