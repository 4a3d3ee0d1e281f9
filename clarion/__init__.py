"""Clarion: say who, what and when; each person hears it once, on time, within what the channel can carry."""

__version__ = "0.1.0"
