"""May this happen? Values in, a verdict and its reason out: no socket, no clock, no log, no settings file."""
