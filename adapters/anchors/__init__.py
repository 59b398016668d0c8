"""Places outside the database that keep signed tree heads, so that a log rewritten with its heads is found: a file, a webhook.

Implements `domain.sealing.Anchor`. May import: domain, httpx2.
"""
