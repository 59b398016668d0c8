"""What makes vectors of texts for memory: hashed words, offline, by default. Implements `domain.memory.Embedder`. May import: domain."""
