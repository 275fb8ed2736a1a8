-- What a project holds. Never edited once released: a change is a file of its own with the next number.

-- Bytes by their content: what is used twice is kept once.
CREATE TABLE blob (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256 of all pieces
    size INTEGER NOT NULL CHECK (size >= 0)
) STRICT;

-- No row is long, however large a picture is.
CREATE TABLE piece (
    blob INTEGER NOT NULL REFERENCES blob ON DELETE CASCADE,
    place INTEGER NOT NULL CHECK (place >= 0),
    bytes BLOB NOT NULL,
    PRIMARY KEY (blob, place)
) STRICT;

CREATE TABLE revision (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 4294967294),
    parent INTEGER REFERENCES revision CHECK (parent < id),
    redo INTEGER REFERENCES revision ON DELETE SET NULL CHECK (redo > id),
    made_at INTEGER NOT NULL, -- seconds since 1970
    name TEXT,
    starred INTEGER NOT NULL DEFAULT 0 CHECK (starred IN (0, 1)),
    origin TEXT NOT NULL CHECK (origin IN ('opened', 'pasted', 'made')),
    file_name TEXT CHECK ((file_name IS NULL) = (origin <> 'opened')),
    recipe TEXT CHECK ((recipe IS NULL) = (origin <> 'made')), -- JSON
    tokens BLOB CHECK ((tokens IS NULL) = (origin <> 'made')), -- u32, little endian
    seconds REAL CHECK ((seconds IS NULL) = (origin <> 'made')),
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

CREATE INDEX revision_parent ON revision (parent);
CREATE INDEX revision_redo ON revision (redo);
CREATE INDEX revision_picture ON revision (picture);
CREATE INDEX revision_steps ON revision (steps);

CREATE TABLE thumbnail (
    revision INTEGER PRIMARY KEY REFERENCES revision ON DELETE CASCADE,
    png BLOB NOT NULL
) STRICT;

-- current, next (revisions), prompt, zoom, centre_x, centre_y, mask (a blob)
CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT;
