"""The private door: what operators and their tools ask of a relay, and the watch over its loop."""
