"""PostgreSQL behind the journal, the ledger and the stores: the only room that speaks SQL (DESIGN §15, JOURNAL §5).

`Database` (pool.py) is the only way to a cursor; the journal's transactions are SQL functions (`migrations/sql/`); tables are
declared in `tables.py`; `migrate.py` brings a database to the newest revision.
"""
