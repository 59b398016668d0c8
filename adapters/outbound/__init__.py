"""The one way out: transports that connect to exactly the addresses the guard checked. May import: domain, httpx2, httpcore2."""
