"""One run of atheris, in a process of its own: ``python -m tests.fuzz.campaign TARGET [libFuzzer's options]``.

Of its own, because libFuzzer ends the process when it has found something, and
because the code under test has to be instrumented when it is first imported.
"""

import shlex
import sys

import atheris

with atheris.instrument_imports(include=["roomcast"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Fuzz a target until libFuzzer's options say that it is enough."""
    _, name, *options = sys.argv
    # libFuzzer starts itself again where it merges, through a shell and by this name.
    program = f"{shlex.quote(sys.executable)} -m tests.fuzz.campaign {name}"
    atheris.Setup([program, *options], TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
