"""``roomcast check``: is the configuration right, and which values hold?"""

from rich.markup import escape
from rich.table import Table

from roomcast.cli.configuration import ConfigOption, DevOption, SetOption, load_or_end
from roomcast.cli.output import end, stdout


def check(config: ConfigOption = None, is_dev: DevOption = False, assignments: SetOption = None) -> None:
    """Check the configuration; print the values that hold and where each came from."""
    from roomcast.server import prepare

    loaded = load_or_end(config, is_dev, assignments)
    try:
        # What a reload would refuse, and by the same road.
        prepare(loaded)
    except ValueError as error:
        end(str(error))
    table = Table("key", "value", "from", box=None, pad_edge=False)
    for row in loaded.rows():
        table.add_row(*(escape(cell) for cell in row))
    stdout().print(table)
