"""The channel `slack`: messages to reviewers as blocks, to incoming webhooks of Slack and its like. May import: domain, httpx2."""
