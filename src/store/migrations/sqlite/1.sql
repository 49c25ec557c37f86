-- Rows are whole: `body` is the model's own JSON, the other columns exist to find and to list rows.
-- Times are milliseconds since the Unix epoch. No foreign keys on purpose: a batch that could never
-- be written would stop the engine for good, and a stray line harms nobody.
-- AUTOINCREMENT: an id that was pruned is never given again, because message ids are idempotency keys.

CREATE TABLE installation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL
) STRICT;

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE sources (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

CREATE TABLE jobs (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

CREATE TABLE alerts (
    rule TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (rule, subject)
) STRICT;

CREATE TABLE incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL,
    job TEXT,
    opened_at INTEGER NOT NULL,
    resolved_at INTEGER,
    resolved_steady INTEGER,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX incidents_state ON incidents (state, id);
CREATE INDEX incidents_job ON incidents (job, id) WHERE job IS NOT NULL;
CREATE INDEX incidents_resolved ON incidents (resolved_at) WHERE resolved_at IS NOT NULL;
CREATE INDEX incidents_resolved_steady ON incidents (resolved_steady) WHERE resolved_steady IS NOT NULL;

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident INTEGER NOT NULL,
    at INTEGER NOT NULL,
    what TEXT NOT NULL
) STRICT;
CREATE INDEX events_incident ON events (incident, id);

CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    incident INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    channel TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX notices_incident ON notices (incident, id);
CREATE INDEX notices_outcome ON notices (outcome, id);
CREATE INDEX notices_receiver ON notices (receiver, id);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    at INTEGER NOT NULL,
    at_steady INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX messages_state ON messages (state, id);
CREATE INDEX messages_at ON messages (at);
CREATE INDEX messages_at_steady ON messages (at_steady);
CREATE INDEX messages_receiver ON messages (receiver, id);

CREATE TABLE attempts (
    message INTEGER NOT NULL,
    number INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_at ON attempts (at);

-- Which steps were committed: settles a commit whose answer was lost. Only the newest are kept.
CREATE TABLE batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE
) STRICT;
