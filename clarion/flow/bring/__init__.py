"""Bring: people, with their fields and groups, come from a system that keeps them, and stay in step."""
