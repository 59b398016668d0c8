"""Where the values of secrets lie: variables, files, Vault (KV version 2). May import: domain, hvac."""
