"""``roomcast token``: a token to try things with."""

import re
from pathlib import Path
from typing import Annotated

import typer

from roomcast.cli.configuration import ConfigOption, DevOption, SetOption, load_or_end
from roomcast.cli.output import end
from roomcast.policies.grants import Action

_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_SECONDS_OF = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def token(
    rooms: Annotated[
        list[str],
        typer.Option("--room", metavar="PATH", help="A room that it opens, or a pattern of rooms. Repeatable."),
    ],
    subject: Annotated[str | None, typer.Option(metavar="NAME", help="Whose it is. Without: nobody's.")] = None,
    actions: Annotated[
        list[Action] | None, typer.Option("--action", help="What may be done there. Repeatable. Without: subscribe.")
    ] = None,
    expires: Annotated[
        str, typer.Option(metavar="DURATION", help="How long it lasts: a whole number and s, m, h or d.")
    ] = "1h",
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A private key in PEM that signs it. Without: the secret of [tokens]."),
    ] = None,
    kid: Annotated[str | None, typer.Option(metavar="NAME", help="The name of that key in a JWKS.")] = None,
    config: ConfigOption = None,
    is_dev: DevOption = False,
    assignments: SetOption = None,
) -> None:
    """Print a token to try things with: one that a relay of this configuration takes."""
    from roomcast.server import make_token

    loaded = load_or_end(config, is_dev, assignments)
    try:
        made = make_token(
            loaded.settings,
            subject=subject,
            rooms=rooms,
            actions=actions or [Action.SUBSCRIBE],
            expires_in_s=_seconds(expires),
            key=key,
            kid=kid,
        )
    except ValueError as error:
        end(str(error))
    typer.echo(made)


def _seconds(duration: str) -> int:
    if (match := _DURATION.fullmatch(duration)) is None:
        raise ValueError(f"--expires: {duration!r} is no whole number and s, m, h or d, as in 15m")
    return int(match[1]) * _SECONDS_OF[match[2]]
