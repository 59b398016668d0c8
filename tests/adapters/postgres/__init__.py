"""The PostgreSQL adapter, on the embedded 18 and on Debian's 15."""
