"""Where a message gets its place in a room's order, before it is delivered."""
