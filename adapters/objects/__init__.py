"""Large sealed payloads in an object store: a local folder, S3, Google Cloud Storage or Azure, by URL. May import: domain, obstore."""
