"""Our provider against a real Kannel: `python -m tests.kannel` (or `make test-kannel`)."""
