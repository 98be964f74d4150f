"""``roomcast serve``: run the relay."""

import typer

from roomcast.cli.configuration import ConfigOption, DevOption, SetOption, load_or_end
from roomcast.cli.output import end


def serve(config: ConfigOption = None, is_dev: DevOption = False, assignments: SetOption = None) -> None:
    """Run the relay until SIGTERM or SIGINT, then say goodbye to every member."""
    from roomcast.server import DoorError, serve

    loaded = load_or_end(config, is_dev, assignments)
    try:
        status = serve(loaded, is_dev=is_dev)
    except (DoorError, ValueError) as error:
        end(str(error))
    raise typer.Exit(status)
