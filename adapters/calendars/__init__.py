"""Time zones from the installation's pinned edition of the IANA database, never from the machine. May import: domain, tzdata (ADR 0022)."""
