-- Restarts: one row per attempt, written before anything is done.
CREATE TABLE restarts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    state TEXT NOT NULL,
    incident INTEGER,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX restarts_of_job ON restarts (job, id);
CREATE INDEX restarts_open ON restarts (id) WHERE state IN ('planned', 'approval', 'stopping', 'submitted', 'running');
