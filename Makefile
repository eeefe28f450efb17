# What a person guesses: make demo, test, lint, bench, clean. `make help` tells more.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Half of the tests wait for a daemon, a server or a clock, and the long ones stand together.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
PARALLEL := -n $(WORKERS) --dist worksteal

.PHONY: help demo test test-system lint bench generate deb lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.complete: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(VENV)/.complete ## a rotation that breaks the apps, from first warning to all clear, on loopback
	$(BIN)/monitord demo

test: $(VENV)/.complete ## the tests that need nothing but Python
	$(BIN)/pytest -q $(PARALLEL) -m "not system"

test-system: $(VENV)/.complete ## install Debian packages and test against real programs
	sh tests/system/packages
	$(BIN)/pytest -q -n 2 --dist loadfile -m system

lint: $(VENV)/.complete ## style, types, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.complete ## measure, side by side
	$(BIN)/python -m bench

generate: $(VENV)/.complete ## write manual pages, completions and the JSON Schema anew
	$(BIN)/python -m generate

deb: $(VENV)/.complete ## a Debian package, self-contained, in dist
	sh debian/build $(BIN)/pip $(BIN)/python

lock: $(VENV)/.complete ## resolve the requirements anew, with hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --upgrade pyproject.toml --output-file requirements/runtime.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  --group dev --constraints requirements/runtime.txt pyproject.toml --output-file requirements/dev.txt

clean: ## everything that the other targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
