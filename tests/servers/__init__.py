"""Real servers for tests: a Temporal development server and a throwaway PostgreSQL."""
