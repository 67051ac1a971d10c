# `make run` and `make test` make .venv if it is missing or older than pyproject.toml: a new entry
# point needs a reinstall, even of an editable checkout.

PYTHON ?= python3
# On a Linux box without a GPU: make run TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test check docs clean

run: .venv/run
	.venv/bin/pvd run

# Two processes, a thread each: many tests wait for processes of their own. What is compiled is kept
# for these, whatever the shell says.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 .venv/bin/python -m pytest --numprocesses 2 --dist worksteal

test: .venv/test
	$(PYTEST) -m 'not slow'

# With kills, full disks, whole comparisons, a browser: what is marked slow. Packages that
# `pvd plugins new` writes need mypy and ruff for their own tests.
test-all: .venv/dev
	$(PYTEST)

# What .ci/run adds to the tests: style and types, those of the library by mypy and by pyright.
check: .venv/dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/python -m pytest -q tests/test_types.py

# The site, in build/docs/index.html. Nothing in it may need a network.
docs: .venv/dev
	.venv/bin/sphinx-build --quiet --fail-on-warning --keep-going --nitpicky --fresh-env docs build/docs
	! grep -rnE '(src|<link[^>]* href)="(https?:)?//' build/docs --include='*.html'

clean:
	rm -rf .venv dist build

.venv/torch: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pvd needs Python 3.11 or newer; try make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear .venv
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$$(grep '^torch==' constraints.txt)"
	touch $@

.venv/run: .venv/torch
	$(PIP) --editable .
	touch $@

.venv/test: .venv/run
	$(PIP) --editable '.[test]'
	touch $@

.venv/dev: .venv/test
	$(PIP) --editable '.[dev]'
	touch $@
