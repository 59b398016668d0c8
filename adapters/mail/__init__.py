"""The channel `email`: messages to reviewers over SMTP, as text and HTML. May import: domain, aiosmtplib."""
