# Two commands matter: `make run` and `make test`. Both set up first, from hash-pinned requirements.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test setup check docs screenshots bench reliability soak lock clean

run: setup
	$(BIN)/mombus demo

# Most tests wait for servers of their own: five at a time keep two cores busy.
test: setup
	$(BIN)/pytest --numprocesses 5 --dist worksteal

setup: .venv/.done

.venv/.done: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup
	$(BIN)/mombus docs

# The pictures of README and docs, taken in a real browser by the tests of the pages.
screenshots: setup
	$(BIN)/pytest tests/browser --screenshots

bench: setup
	$(BIN)/python -m bench

# Injects every fault again and writes docs/reliability.md.
reliability: setup
	$(BIN)/pytest --proof

# Kills, cuts and freezes at random under load, then counts: `make soak MINUTES=60`.
MINUTES ?= 10
soak: setup
	$(BIN)/python tests/faults/soak.py --minutes $(MINUTES)

# Needs uv on PATH; run after changing dependencies in pyproject.toml.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --group dev pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --extra postgresql --extra export --extra opentelemetry pyproject.toml --output-file deploy/requirements.lock

clean:
	rm -rf .venv .mombus
