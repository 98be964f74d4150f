"""Rooms: who is in, what was said, who has been told. Knows no wire format, no socket, no clock."""
