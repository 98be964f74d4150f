# Two commands matter: `make run` and `make test`. `make help` lists the others.
# It keeps to what GNU make 3.81 knows, which is the make of macOS, and to a POSIX shell.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# make run PORT=9000 ADMIN_PORT=9001, and ARGS= for anything else that `roomcast serve` takes
options = $(if $(PORT),--set server.port=$(PORT)) $(if $(ADMIN_PORT),--set admin.port=$(ADMIN_PORT)) $(ARGS)

pure = */roomcast/protocol/*,*/roomcast/relay/*,*/roomcast/policies/*

.PHONY: help
help:
	@echo "make run             serve on http://127.0.0.1:8080, for trying it out (PORT=, ADMIN_PORT=, ARGS=)"
	@echo "make test            install what the tests need, run all that need no container engine, check coverage"
	@echo "make image           build the image with its labels; needs docker with buildx (IMAGE=, DOCKER_BUILD_OPTIONS=)"
	@echo "make image-size      say what the image weighs: base, dependencies, our code"
	@echo "make manifests       copy the alerts to where Kubernetes' tools can read them (see deploy/kubernetes/README.md)"
	@echo "make lock            renew the versions and hashes of what the image is built from"
	@echo "make test-container  build the image and test it; needs docker with compose and buildx"
	@echo "make e2e             start all of docker compose, use it for two minutes, break it, and see who is told; likewise"
	@echo "make lint            ruff, mypy --strict, and who may import whom"
	@echo "make conformance     all cases of the Autobahn testsuite; needs Python 2.7 (see tests/conformance/README.md)"
	@echo "make bench           measure, on this machine, against a floor in C (see tests/bench/README.md)"
	@echo "make fuzz            feed the parsers with what atheris makes up, a minute each (see tests/fuzz/README.md)"
	@echo "make clean           remove .venv and whatever the tools left"
	@echo "PYTHON=/path/to/python3.12, after any of them, names the Python to begin with: 3.11 or newer"

.PHONY: run
run: .venv/installed
	@exec .venv/bin/roomcast serve --dev $(options)

# Coverage is judged where it says something: to the last branch where all is bytes and values,
# and by share where the code meets sockets, clocks and signals.
.PHONY: test
test: .venv/installed-dev .venv/tools
	@.venv/bin/coverage erase
	@PATH="$$PWD/.venv/bin:$$PATH" .venv/bin/coverage run -m pytest
	@.venv/bin/coverage combine --quiet
	@echo "Coverage of protocol, relay and policies, which must be whole:"
	@.venv/bin/coverage report --fail-under=100 --include='$(pure)'
	@echo "Coverage of the rest, at least 90 %:"
	@.venv/bin/coverage report --fail-under=90 --omit='$(pure)'

.PHONY: test-container
test-container: .venv/installed-dev
	@.venv/bin/python -m pytest --engine tests/container

.PHONY: e2e
e2e: .venv/installed-dev
	@.venv/bin/python -m pytest --engine tests/e2e

# The labels of the image are what git and the package say of this checkout.
IMAGE = roomcast
version = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' app/roomcast/__init__.py)

.PHONY: image
image:
	@docker build --tag $(IMAGE) --build-arg VERSION=$(version) \
	    --build-arg REVISION="$$(git rev-parse HEAD)$$(git diff --quiet HEAD -- || echo -dirty)" \
	    --build-arg CREATED="$$(date -u +%Y-%m-%dT%H:%M:%SZ)" $(DOCKER_BUILD_OPTIONS) .
	@$(MAKE) image-size

# Nothing but the standard library: it runs where only the image is made.
.PHONY: image-size
image-size:
	@python3 -m tests.container.size $(IMAGE)

# For the Python of the image, whichever Python runs here. The hashes are of all files of a release, so that one
# lock serves x86-64 and ARM.
compile = .venv/bin/uv pip compile --quiet --python-version 3.13 --python-platform linux --only-binary :all: \
    --generate-hashes --custom-compile-command 'make lock' --upgrade --no-python-downloads
backend = import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

.PHONY: manifests
manifests: .venv/installed-dev
	@.venv/bin/python -m deploy.kubernetes.build

.PHONY: lock
lock: .venv/installed-dev
	@.venv/bin/python -m pip install -qq --disable-pip-version-check 'uv>=0.9'
	$(compile) --extra tokens --output-file deploy/requirements.lock pyproject.toml
	.venv/bin/python -c '$(backend)' | $(compile) --output-file deploy/build.lock -

.PHONY: lint
lint: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict
	.venv/bin/lint-imports --no-logo

.PHONY: conformance
conformance: .venv/installed-dev
	@.venv/bin/python -m tests.conformance $(ARGS)

.PHONY: bench
bench: .venv/installed-dev
	@.venv/bin/python -m tests.bench $(ARGS)

.PHONY: fuzz
fuzz: .venv/installed-dev .venv/tools
	@.venv/bin/python -m tests.fuzz $(ARGS)

.PHONY: clean
clean:
	rm -rf .venv .cache .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find app tests -name __pycache__ -exec rm -rf {} +

# The package is installed as a link to app/, so only a new pyproject.toml calls for another installation.
# Twice quiet: pip's errors are for a newcomer, its warnings about this machine's indexes are not.
.venv/installed: pyproject.toml
	@sh -c "$$CREATE_VENV"
	@echo "Installing Roomcast into .venv: once, and again when pyproject.toml changes."
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

.venv/installed-dev: pyproject.toml
	@sh -c "$$CREATE_VENV"
	@echo "Installing Roomcast and what its tests need into .venv: once, and again when pyproject.toml changes."
	@.venv/bin/python -m pip install -qq --disable-pip-version-check --editable '.[dev]'
	@touch .venv/installed $@

.venv/tools: .venv/installed-dev tests/install/tools.sh
	@sh tests/install/tools.sh .venv/bin
	@touch $@

# A .venv whose checkout was moved or copied, or whose Python is gone, still holds its stamps, and the
# wrong paths: ask it where it finds us, and begin anew unless that is here.
find_us = from importlib.util import find_spec; from os.path import samefile; \
    print(samefile(find_spec("roomcast").origin, "app/roomcast/__init__.py"))
ifneq ($(shell .venv/bin/python -c '$(find_us)' 2>/dev/null),True)
.PHONY: .venv/installed .venv/installed-dev
.venv/installed .venv/installed-dev: export CREATE_VENV = $(create_venv)
else
.venv/installed .venv/installed-dev: export CREATE_VENV = true
endif

define create_venv
set -eu
may_run() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
may_install() { "$$1" -c 'import ensurepip, venv' 2>/dev/null; }
if [ -n "$(PYTHON)" ]; then set -- "$(PYTHON)"; else set -- python3.13 python3.12 python3.11 python3; fi

candidate=
for python; do
    may_run "$$python" || continue
    candidate=$$python
    may_install "$$python" && exec "$$python" -m venv --clear .venv
done

if [ -z "$$candidate" ]; then
    echo "Roomcast needs Python 3.11 or newer, and none of these is: $$*" >&2
    echo "On Debian 12, Ubuntu 24.04 and later: apt install python3 python3-venv" >&2
    echo "Where it goes by another name: make run PYTHON=/path/to/python3.12" >&2
else
    echo "$$candidate has no module ensurepip, and cannot make the directory .venv without." >&2
    echo "On Debian and Ubuntu that is a package of its own: apt install python3-venv" >&2
fi
exit 1
endef
