"""Roomcast: a WebSocket broadcast relay. What a client sends to a path reaches everyone else on it."""

__version__ = "0.1.0"
