"""Vectors of texts for memory without a model: hashed words, the default. Implements `domain.memory.Embedder`. May import: domain."""
