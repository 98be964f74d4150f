"""A token, and the keys by which it is checked, written in every way that there is.

The first byte says what the rest is: a token as a stranger sends it, claims that we
sign, the header of a token whose claims are good, a file of keys, or the answer of a URL.

* Of a stranger's token nothing comes out but a ``TokenError``: nobody has signed it.
* Of what is signed comes a grant that says what its claims say, or a ``TokenError``.
* Of keys come such as have an algorithm of ours, or a ``BadKeyError``. None is a
  secret that a URL gave.
* No error repeats a part of what it is about.
* All of it takes no time: it is read for every handshake. (A timeout is a finding.)
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Final

from roomcast.policies.grants import Action, TokenError
from roomcast.policies.keyring import KeyRing
from roomcast.policies.keys import BadKeyError, Key, read_jwks, read_keys, secret_key
from roomcast.policies.tokens import ALGORITHMS, TOKEN_MAX_BYTES, Expectations, verify
from tests.tokens import NOW_S, SECRET, claims, hs256

WORDS: Final = (
    *('"exp":', '"nbf":', '"iat":', '"sub":', '"iss":', '"aud":', '"rooms":', '"actions":'),
    *('"alg":', '"kid":', '"crit":', "HS256", "RS256", "none"),
    *("1790003600", "/rooms/{room}", "/a/{b...}", "subscribe", "publish"),
    *('"keys":', '"kty":', '"use":"sig"', '"crv":"P-256"', '"x":', '"y":', '"n":', '"e":"AQAB"', '"k":'),
    *('"OKP"', '"oct"', "-----BEGIN "),
)

_US: Final = hs256(SECRET.encode())
_RING: Final = KeyRing([secret_key(SECRET)])
_GOOD: Final = json.dumps(claims(sub="alice", actions=["publish"])).encode()
# Shorter ones stand in a message by chance.
_PIECE: Final = re.compile(r"[A-Za-z0-9+/_-]{24,}")


def check(data: bytes) -> None:
    """Read what the input says, and make sure that nobody gets anything by it that was not signed."""
    kind, rest = data[:1], data[1:]
    _CHECKS.get(kind, _check_strange)(rest)


def _check_strange(token: bytes) -> None:
    text = token.decode("latin-1")
    assert _rule_of(text) is not None, "a token that nobody has signed opens rooms"


def _check_claims(payload: bytes) -> None:
    signed = b".".join((_part(b'{"alg":"HS256"}'), _part(payload)))
    _check_signed(signed + b"." + _part(_US.sign(signed)), payload)


def _check_header(header: bytes) -> None:
    signed = b".".join((_part(header), _part(_GOOD)))
    token = signed + b"." + _part(_US.sign(signed))
    if _rule_of(token.decode()) is None:
        assert json.loads(header)["alg"] == "HS256", "an algorithm that is not the key's"


def _check_signed(token: bytes, payload: bytes) -> None:
    if _rule_of(token.decode()) is not None:
        return
    said = json.loads(payload)
    assert len(token) <= TOKEN_MAX_BYTES, "a token that is too long"
    assert said["exp"] > NOW_S, "a token that has ended"
    grant = verify(token.decode(), _RING, Expectations(), NOW_S)
    assert grant.subject == said.get("sub"), "another subject"
    assert {str(action) for action in grant.actions} == set(said.get("actions", [Action.SUBSCRIBE])), "other actions"
    assert len(grant.rooms) == len(said.get("rooms", [])), "other rooms"


def _check_file(data: bytes) -> None:
    _check_keys(read_keys, data)


def _check_url(data: bytes) -> None:
    assert all(key.algorithm != "HS256" for key in _check_keys(read_jwks, data)), "a secret that a URL gave"


def _check_keys(read: Callable[[bytes], list[Key]], data: bytes) -> list[Key]:
    try:
        keys = read(data)
    except BadKeyError as error:
        _check_words(str(error), data.decode("latin-1"))
        return []
    assert keys, "neither keys nor a rule"
    assert all(key.algorithm in ALGORITHMS for key in keys), "an algorithm that is not ours"
    return keys


def _rule_of(token: str) -> str | None:
    """Return the rule that a token breaks, None if it is good."""
    try:
        verify(token, _RING, Expectations(), NOW_S)
    except TokenError as error:
        _check_words(str(error), token)
        return str(error)
    return None


def _check_words(message: str, about: str) -> None:
    assert not any(piece in message for piece in _PIECE.findall(about)), "an error that repeats what it is about"


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_CHECKS: Final[dict[bytes, Callable[[bytes], None]]] = {
    b"c": _check_claims,
    b"h": _check_header,
    b"f": _check_file,
    b"u": _check_url,
}


def seeds() -> Iterator[bytes]:
    """Yield one of each kind that is good, or nearly."""
    them = hs256(b"somebody else's secret, long enough")
    yield b"t" + them.token(claims()).encode()
    yield b"t" + them.token(claims(), alg="none").encode()
    yield b"c" + _GOOD
    yield b"c" + json.dumps(claims(nbf=1, iat=1.5, iss="a", aud=["a"], rooms=["/a/{b...}"])).encode()
    yield b'h{"alg":"HS256","kid":"a","typ":"JWT"}'
    yield b'h{"alg":"HS256","crit":["b64"],"b64":false}'
    yield b"f" + SECRET.encode()
    okp = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "use": "sig", "kid": "a"}
    yield b"f" + json.dumps(okp).encode()
    yield b"u" + json.dumps({"keys": [okp, {"kty": "oct", "k": "c2VjcmV0" * 6}]}).encode()
    raw = b"MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    yield b"f-----BEGIN PUBLIC KEY-----\n" + raw + b"\n-----END PUBLIC KEY-----"
