-- The plain tool that a revision was made with. Its origin says 'pasted' then, which means nothing.
CREATE TABLE tool (
    revision INTEGER PRIMARY KEY REFERENCES revision ON DELETE CASCADE,
    settings TEXT NOT NULL -- JSON
) STRICT;
