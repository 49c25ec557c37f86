-- Distinct failures by hour and job: those that Flink mends itself are in no incident.
CREATE TABLE failures (
    hour INTEGER NOT NULL,
    job TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, job)
) STRICT, WITHOUT ROWID;
-- For reports, which would read every byte of every message otherwise.
ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT '';
UPDATE messages SET kind = coalesce(body ->> '$.kind', '');
CREATE INDEX messages_counted ON messages (at, receiver, state, kind);
DROP INDEX messages_at;
CREATE INDEX incidents_opened ON incidents (opened_at);
