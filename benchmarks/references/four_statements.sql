BEGIN;
INSERT INTO item (id, agent, reason, session_id, tool_name, tool_args, data) VALUES (gen_random_uuid()::text, :agent, :reason, 'session-1', 'delete_file', :arguments, :data) RETURNING id \gset
INSERT INTO event (item, type, data) VALUES (:id, 'requested', :data);
COMMIT;
