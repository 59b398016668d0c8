"""Webhooks over HTTP: outgoing deliveries signed as Standard Webhooks 1.0 says. May import: domain, httpx2, standardwebhooks."""
