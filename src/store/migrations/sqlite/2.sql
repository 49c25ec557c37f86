-- The inputs of the engine, coded and packed (see the journal): pieces of segments. A piece can be
-- read after all pieces of its segment before it, so whole segments are dropped and nothing else.
CREATE TABLE history (
    segment INTEGER NOT NULL,
    number INTEGER NOT NULL,
    -- The segment begins with the start of a process.
    from_start INTEGER NOT NULL,
    -- Wall times.
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (segment, number)
) STRICT;
