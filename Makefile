# Two commands for a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test install install-dev lint types unit docs docs-blocks wheels clean

demo: install
	$(BIN)/clipbench demo

test: install-dev lint types unit

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

# pip is run again only when the dependencies could have changed.
$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -e $(VENV)/.installed-dev || $(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.installed

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

# One thread for each of the two workers: threads that wait for one another cost more than they bring.
unit: install-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# The site in build/site, offline; it can be looked at from the disk.
docs: install-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml

# Help texts, commands, sessions and the notebook in README and docs/, as the program gives them now.
docs-blocks: install-dev
	$(BIN)/python tests/docs_blocks.py --write
	OMP_NUM_THREADS=1 $(BIN)/python tests/docs_sessions.py --write
	OMP_NUM_THREADS=1 $(BIN)/python tests/docs_notebook.py --write

# What is put on the registry: built, checked, and tried in an empty environment of each python that is here.
wheels: install-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check twine
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python tests/wheels.py dist

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
