"""The ledger against a simple model of itself and against the truth of a provider, on real PostgreSQL."""
