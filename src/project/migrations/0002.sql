-- How a model's result was put into the parent's picture, where a revision is an edit of a part.
CREATE TABLE local (
    revision INTEGER PRIMARY KEY REFERENCES revision ON DELETE CASCADE,
    seen_left INTEGER NOT NULL, -- what the model saw, in pixels of the parent's picture; it may reach beyond that
    seen_top INTEGER NOT NULL,
    seen_width INTEGER NOT NULL CHECK (seen_width > 0),
    seen_height INTEGER NOT NULL CHECK (seen_height > 0),
    result INTEGER NOT NULL REFERENCES blob, -- PNG
    result_width INTEGER NOT NULL,
    result_height INTEGER NOT NULL,
    result_bits INTEGER NOT NULL CHECK (result_bits IN (8, 16)),
    reconstruction INTEGER REFERENCES blob, -- PNG, as large as the result
    reconstruction_bits INTEGER CHECK (reconstruction_bits IN (8, 16)),
    placing TEXT NOT NULL CHECK (placing IN ('whole', 'selection', 'change')),
    mask INTEGER REFERENCES blob CHECK ((mask IS NULL) = (placing <> 'selection')), -- as large as the parent's picture, packed
    feather INTEGER CHECK ((feather IS NULL) = (placing <> 'selection')), -- in pixels
    matching REAL CHECK ((matching IS NULL) = (placing <> 'selection')), -- 0 to 1
    reach REAL CHECK ((reach IS NULL) = (placing <> 'change')), -- 0 to 1
    CHECK ((reconstruction IS NULL) = (reconstruction_bits IS NULL))
) STRICT;

CREATE INDEX local_result ON local (result);
CREATE INDEX local_reconstruction ON local (reconstruction);
CREATE INDEX local_mask ON local (mask);
