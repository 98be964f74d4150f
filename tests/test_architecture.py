"""What holds for the whole project, and is seen from above only: who may know whom, and what stands in no file."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from importlinter.cli import lint_imports

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "app" / "roomcast"

# Values, and functions of values. A module that can wait, ask the time, roll dice, write or
# open something is an argument to these packages, never an import of theirs. (`http` is
# HTTPStatus; `http.client`, which opens sockets, is another name, and not in here.)
VALUES_ONLY: Final = frozenset(
    {
        "__future__",
        "base64",
        "binascii",
        "bisect",
        "codecs",
        "collections",
        "collections.abc",
        "contextlib",
        "dataclasses",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "http",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "re",
        "struct",
        "typing",
        "urllib.parse",
    }
)
PURE: Final = {
    "protocol": VALUES_ONLY | {"h11", "zlib"},
    "relay": VALUES_ONLY,
    # Of tokens: to part, parse and compare what somebody has read. What time it is, they are told.
    "policies": VALUES_ONLY
    | {
        "cryptography.exceptions",
        "cryptography.hazmat.primitives.asymmetric.ec",
        "cryptography.hazmat.primitives.asymmetric.ed25519",
        "cryptography.hazmat.primitives.asymmetric.rsa",
        "cryptography.hazmat.primitives.serialization",
        "idna",
        "jwt",
        "jwt.algorithms",
        "jwt.exceptions",
    },
}
IMPURE_BUILTINS: Final = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})

# The last letter of each is in brackets, or this file would hold the word it looks for.
EXCLUSIONS: Final = re.compile(r"pragma: n[o] |# noq[a]|# type: ignor[e]|# mypy: ignor[e]|coverage: of[f]")
LOOSE_ENDS: Final = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X])\b|NotImplementedErro[r]|assert Tru[e]\b|^(?:<{7}|>{7}) ")
# By whatever name: an event that nobody sets, waited for during a fraction of a second, is one, too.
# (The fake loop's `wait` sets a clock.)
SLEEPS: Final = re.compile(
    r"\b(?:time|gevent)\.slee[p]\(|from (?:time|gevent) import .*slee[p]|(?<!\bloop)\.wait\((?:timeout=)?0?\.\d"
)
# What announces nothing has to be asked again: other projects' relays, and a container engine.
MAY_POLL: Final = frozenset({"bench", "engine.py"})
MACHINE_PATHS: Final = re.compile(r"(?<![\w.])/(?:wor[k]|far[m]|roo[t]|hom[e])/|\.\./share[d]\b")


def modules_of(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                assert node.level == 0, f"{name_of(module)}:{node.lineno} imports relatively"
                yield str(node.module)


def acts(module: Path) -> bool:
    """Tell whether there is code to test: a module of nothing but names, types and interfaces has none."""
    functions = (
        node
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    # A docstring, and the dots of an interface, are expressions that are constants.
    return any(
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for function in functions
        for statement in function.body
    )


ACTING_MODULES: Final = [path for path in modules_of(PACKAGE) if path.name != "__init__.py" and acts(path)]


def text_files() -> Iterator[Path]:
    """Yield the project's own files, in a checkout as well as in an unpacked archive."""
    for top in sorted(ROOT.iterdir()):
        # In a second working tree git has a file where it has its folder in the first.
        if top.is_file() and top.name != ".git" and not top.name.startswith(".coverage"):
            yield top
        elif top.name in {".ci", "app", "config", "deploy", "tests"}:
            yield from (path for path in sorted(top.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def lines_with(pattern: re.Pattern[str], files: Iterator[Path] | list[Path]) -> list[str]:
    """Return the places, as ``file:line: text``, where the pattern is found."""
    return [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("package", PURE)
def test_pure_package_imports_nothing_that_waits_or_asks_the_world(package: str) -> None:
    own = f"roomcast.{package}"

    for module in modules_of(PACKAGE / package):
        foreign = {name for name in imports_of(module) if name != own and not name.startswith(f"{own}.")}
        assert foreign <= PURE[package], f"{name_of(module)} imports {', '.join(sorted(foreign - PURE[package]))}"


@pytest.mark.parametrize("package", PURE)
def test_pure_package_calls_no_builtin_that_reads_or_writes(package: str) -> None:
    for module in modules_of(PACKAGE / package):
        names = {node.id for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Name)}
        assert not names & IMPURE_BUILTINS, f"{name_of(module)} uses {', '.join(names & IMPURE_BUILTINS)}"


def test_each_floor_sees_only_those_below_it() -> None:
    # The floors are stated in pyproject.toml; a cache would only make the second run trust the first.
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_only_the_main_module_patches_the_standard_library() -> None:
    patching = lines_with(re.compile(r"\bpatch_(?:all|\w+)\("), modules_of(PACKAGE))

    assert {line.partition(":")[0] for line in patching} <= {"app/roomcast/__main__.py"}


@pytest.mark.parametrize("module", ACTING_MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_has_its_tests_where_its_name_says(module: Path) -> None:
    mirror = module.relative_to(PACKAGE).with_name(f"test_{module.stem.strip('_')}.py")

    assert (ROOT / "tests" / mirror).is_file()


def test_no_line_is_exempt_from_coverage_types_or_lint() -> None:
    assert lines_with(EXCLUSIONS, modules_of(ROOT / "app") + modules_of(ROOT / "tests")) == []


def test_no_loose_ends() -> None:
    assert lines_with(LOOSE_ENDS, text_files()) == []


def test_no_test_sleeps() -> None:
    tests = [path for path in modules_of(ROOT / "tests") if not MAY_POLL.intersection(path.parts)]

    assert lines_with(SLEEPS, tests) == []


def test_no_path_of_anybody_s_machine() -> None:
    assert lines_with(MACHINE_PATHS, text_files()) == []


def test_pure_packages_are_whole_in_coverage_by_the_same_list() -> None:
    # The Makefile judges them; a package added here and forgotten there would be judged by the lower bar.
    [judged] = re.findall(r"^pure = (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert judged.split(",") == [f"*/roomcast/{package}/*" for package in PURE]
