"""Who gets in at the private door: which name it was called by, which key was shown, and which page asks.

Metrics and probes answer to anybody who can reach the door. Everything else asks
``Guard`` first:

* ``check_host`` keeps out a stranger's page that has given its own name our address
  (``policies.hosts.PrivateHosts``). That is all that a page of ours needs.
* ``require`` asks for a key that opens what is asked for, too. Without any key in
  the configuration nothing can be changed, and only who sits on the same machine
  may look.
* No page of another origin changes anything, not even one that knows a key.

Sources: RFC 6750 for keys and their refusals, RFC 9110, 15.5.20, for 421.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NoReturn

from falcon import HTTPError, HTTPForbidden, HTTPUnauthorized, Request

from roomcast.api.keys import Holder, Keyring, Scope
from roomcast.policies.hosts import PrivateHosts
from roomcast.protocol.bearer import credentials

NEIGHBOUR: Final = Holder("", frozenset({Scope.READ}))
"""Whoever looks in from the same machine, where there is no key that it could show."""


class Guard:
    """Lets a request pass or raises what to answer.

    Args:
        keyring: The keys that exist.
        hosts: The Host names that are answered to.
        is_local: Whether the door can be reached from its own machine only; asked each time.
    """

    def __init__(self, keyring: Keyring, hosts: PrivateHosts, is_local: Callable[[], bool]) -> None:
        self._keyring = keyring
        # Everybody calls us by one of a few names. A stranger's are forgotten again.
        self._serves = lru_cache(maxsize=64)(hosts.serves)
        self._is_local = is_local

    def change(self, keyring: Keyring, hosts: PrivateHosts) -> None:
        """Ask for other keys, and answer to other names, from the next request on."""
        self._keyring = keyring
        self._serves = lru_cache(maxsize=64)(hosts.serves)

    def check_host(self, request: Request) -> None:
        """Refuse a request that calls us by a name which is not ours.

        Raises:
            HTTPError: 421.
        """
        if not self._serves(request.get_header("Host")):
            raise HTTPError(
                421, description="Host is neither localhost, nor an address, nor one of [admin] hosts: nothing to see"
            )

    def require(self, request: Request, scope: Scope) -> Holder:
        """Return who asks, if that may be asked.

        Raises:
            HTTPError: 421 as ``check_host``; 401 without a key, or with a wrong
                one; 403 for one that does not open this, for a page of another
                origin, and where there is no key to show.
        """
        self.check_host(request)
        if scope is not Scope.READ:
            _check_origin(request)
        holder = self._identify(request, scope)
        if scope not in holder.scopes:
            raise HTTPForbidden(
                description=f'this key does not have the scope "{scope}"',
                headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
            )
        return holder

    def _identify(self, request: Request, scope: Scope) -> Holder:
        if self._keyring.is_empty:
            if scope is Scope.READ and self._is_local():
                return NEIGHBOUR
            raise HTTPForbidden(description="no key is configured: set [admin] api_key or [[api_keys]]")
        authorization = request.get_header("Authorization")
        if authorization is None:
            _challenge("a key is wanted: Authorization: Bearer …", "Bearer")
        key = credentials(authorization)
        if not key:
            _challenge("Authorization is not Bearer and a key", "Bearer")
        holder = self._keyring.holder_of(key)
        if holder is None:
            _challenge("this key is not one of ours", 'Bearer error="invalid_token"')
        return holder


def _challenge(description: str, challenge: str) -> NoReturn:
    raise HTTPUnauthorized(description=description, challenges=[challenge])


def _check_origin(request: Request) -> None:
    """Let no page of another origin change anything: browsers say whose page it is, and pages cannot."""
    origin = request.get_header("Origin")
    if origin is not None and origin.lower().partition("://")[2] != (request.get_header("Host") or "").lower():
        raise HTTPForbidden(description="Origin is another site's, and pages of other sites change nothing here")
