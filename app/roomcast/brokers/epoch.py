"""The name of one life of a broker, under which its offsets count."""

import base64
import secrets

# Eight letters. Two lives with the same name, and a client that had been in both, would
# come about once in a million million restarts.
_RANDOM_BYTES = 5


def new_epoch() -> str:
    """Return a name that no other life has had: eight lower-case letters and digits from 2 to 7."""
    return base64.b32encode(secrets.token_bytes(_RANDOM_BYTES)).decode("ascii").lower()
