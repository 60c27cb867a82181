CREATE TABLE item (
    id text PRIMARY KEY,
    agent text NOT NULL,
    type text NOT NULL DEFAULT 'approval',
    status text NOT NULL DEFAULT 'pending',
    reason text NOT NULL,
    session_id text NOT NULL DEFAULT '',
    tool_name text NOT NULL DEFAULT '',
    tool_args jsonb NOT NULL DEFAULT '{}',
    data jsonb NOT NULL DEFAULT '{}',
    priority smallint NOT NULL DEFAULT 2,
    response jsonb,
    resolved_by text NOT NULL DEFAULT '',
    resolved_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '1 day'
);
CREATE INDEX item_by_agent ON item (agent, id);
CREATE INDEX item_open ON item (expires_at) WHERE status = 'pending';
CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item text NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_by_item ON event (item);
