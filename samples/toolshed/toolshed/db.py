"""The database file, and how it is opened."""
import os
import sqlite3

HERE = os.path.dirname(os.path.abspath(__file__))
DB_PATH = os.environ.get('TOOLSHED_DB') or os.path.join(HERE, '..', 'toolshed.db')

# since 2.0
QUEUE = '''
CREATE TABLE IF NOT EXISTS queue (
    id INTEGER PRIMARY KEY,
    tool_id INTEGER NOT NULL REFERENCES tools (id),
    member_id INTEGER NOT NULL REFERENCES members (id),
    asked TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (tool_id, member_id)
)
'''
JOURNAL = 'CREATE TABLE IF NOT EXISTS journal (at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, who TEXT, what TEXT)'


def connect():
    """A connection of its own for whoever asks; close it."""
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    conn.execute('PRAGMA foreign_keys = ON')
    return conn


def create_tables():
    conn = connect()
    with open(os.path.join(HERE, 'schema.sql'), encoding='utf-8') as schema:
        conn.executescript(schema.read())
    conn.execute(QUEUE)
    conn.execute(JOURNAL)
    conn.commit()
    conn.close()
