-- Toolshed's tables. New ones since 2.0 are made by toolshed/db.py.

CREATE TABLE IF NOT EXISTS members (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    email VARCHAR(120) NOT NULL UNIQUE,
    street TEXT,
    joined DATE NOT NULL,
    active BOOLEAN NOT NULL DEFAULT 1
);

CREATE TABLE IF NOT EXISTS tools (
    id INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE,      -- what is painted on the handle
    kind TEXT NOT NULL,
    bought DATE,
    price DECIMAL(8, 2),
    condition TEXT NOT NULL DEFAULT 'good' CHECK (condition IN ('good', 'worn', 'broken')),
    notes TEXT
);

CREATE TABLE IF NOT EXISTS loans (
    id INTEGER PRIMARY KEY,
    tool_id INTEGER NOT NULL REFERENCES tools (id),
    member_id INTEGER NOT NULL REFERENCES members (id),
    lent DATE NOT NULL,
    due DATE NOT NULL,
    returned DATE
);

CREATE TABLE IF NOT EXISTS fees (
    id INTEGER PRIMARY KEY,
    member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    loan_id INTEGER REFERENCES loans (id),
    cents INTEGER NOT NULL,
    reason TEXT NOT NULL,
    paid TIMESTAMP
);

CREATE TABLE IF NOT EXISTS skills (
    member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    level INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (member_id, kind)
) WITHOUT ROWID;
