-- Pictures that were made larger, and those that a plain tool changed, are revisions of kinds of their own. SQLite changes no check of a table, so it is made anew.
CREATE TABLE revision_3 (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 4294967294),
    parent INTEGER REFERENCES revision CHECK (parent < id),
    redo INTEGER REFERENCES revision ON DELETE SET NULL CHECK (redo > id),
    made_at INTEGER NOT NULL, -- seconds since 1970
    name TEXT,
    starred INTEGER NOT NULL DEFAULT 0 CHECK (starred IN (0, 1)),
    origin TEXT NOT NULL CHECK (origin IN ('opened', 'pasted', 'made', 'upscaled', 'changed')),
    file_name TEXT CHECK ((file_name IS NULL) = (origin <> 'opened')),
    recipe TEXT CHECK ((recipe IS NULL) = (origin NOT IN ('made', 'upscaled', 'changed'))), -- JSON
    tokens BLOB CHECK ((tokens IS NULL) = (origin <> 'made')), -- u32, little endian
    seconds REAL CHECK ((seconds IS NULL) = (origin NOT IN ('made', 'upscaled'))),
    picture INTEGER NOT NULL REFERENCES blob, -- PNG
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    bits INTEGER NOT NULL CHECK (bits IN (8, 16)),
    steps INTEGER REFERENCES blob, -- one step after the other, each channels x latent_height x latent_width, little endian
    step_count INTEGER,
    step_bits INTEGER CHECK (step_bits IN (16, 32)), -- f16 or f32
    channels INTEGER,
    latent_height INTEGER,
    latent_width INTEGER
) STRICT;

INSERT INTO revision_3
SELECT id, parent, redo, made_at, name, starred, origin, file_name, recipe, tokens, seconds, picture, width, height, bits, steps,
    step_count, step_bits, channels, latent_height, latent_width
FROM revision;

DROP TABLE revision;
ALTER TABLE revision_3 RENAME TO revision;

CREATE INDEX revision_parent ON revision (parent);
CREATE INDEX revision_redo ON revision (redo);
CREATE INDEX revision_picture ON revision (picture);
CREATE INDEX revision_steps ON revision (steps);
