-- Everything of a sandbox that outlives its process. Messages, wire and reads only ever grow (until a reset).
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    username TEXT,
    phone TEXT,
    first_name TEXT NOT NULL,
    last_name TEXT,
    password TEXT,
    bot_token TEXT,
    privacy TEXT NOT NULL CHECK (privacy IN ('everyone', 'contacts')),
    state TEXT NOT NULL CHECK (state IN ('active', 'deactivated', 'blocked')),
    reply_text TEXT,
    reply_after_seconds REAL,
    reads_after_seconds REAL
);

CREATE TABLE IF NOT EXISTS contacts (
    account_id INTEGER NOT NULL,
    person_id INTEGER NOT NULL,
    PRIMARY KEY (account_id, person_id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS auth_keys (
    id BLOB PRIMARY KEY,
    secret BLOB NOT NULL,
    user_id INTEGER,
    password_user_id INTEGER, -- who has given the code and still owes the 2FA password
    dead TEXT                 -- the error that every request with this key gets from now on
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS login_codes (
    phone TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    hash TEXT NOT NULL
) WITHOUT ROWID;

-- One row for each accepted message: the record. The recipient's copy has its own id and pts.
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY,
    from_id INTEGER NOT NULL,
    to_id INTEGER NOT NULL,
    random_id INTEGER,
    text TEXT NOT NULL,
    media TEXT,               -- JSON: which file, and what the record shows of it
    reply_to INTEGER,         -- seq of the message that this one answers
    date REAL NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('outbound', 'inbound')),
    from_message_id INTEGER NOT NULL,
    to_message_id INTEGER NOT NULL,
    from_pts INTEGER NOT NULL,
    to_pts INTEGER NOT NULL,
    entities BLOB
);

-- Photos and documents. Their bytes are not kept: size and hash are what the record needs.
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY,
    uploader_id INTEGER NOT NULL,
    upload_id INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('photo', 'document')),
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    file_name TEXT,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    attributes BLOB
);

-- Until a file is made of them.
CREATE TABLE IF NOT EXISTS file_parts (
    account_id INTEGER NOT NULL,
    upload_id INTEGER NOT NULL,
    part INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (account_id, upload_id, part)
);

-- Read receipts take a pts of their own in the account that is told.
CREATE TABLE IF NOT EXISTS reads (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL,
    pts INTEGER NOT NULL,
    box TEXT NOT NULL CHECK (box IN ('inbox', 'outbox')),
    peer_id INTEGER NOT NULL,
    max_id INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS wire (
    seq INTEGER PRIMARY KEY,
    method TEXT NOT NULL,
    account_id INTEGER,
    random_id INTEGER,
    outcome TEXT NOT NULL,
    error TEXT,
    date REAL NOT NULL
);

CREATE TABLE IF NOT EXISTS faults (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    rule TEXT NOT NULL,
    matched INTEGER NOT NULL,
    fired INTEGER NOT NULL
) WITHOUT ROWID;

-- Replies and reads that people will do by themselves.
CREATE TABLE IF NOT EXISTS intentions (
    id INTEGER PRIMARY KEY,
    due_at REAL NOT NULL,
    person_id INTEGER NOT NULL,
    account_id INTEGER NOT NULL,
    reply TEXT,               -- null: the person reads
    message_seq INTEGER NOT NULL
);
