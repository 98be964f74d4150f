"""Bytes to events and back, for both dialects. Knows no socket, no clock, no dice."""
