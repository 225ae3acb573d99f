# make book | make test: each sets up what it needs first. PROFILE, DATA, SEEDS vary the run; PYTHON the interpreter.
PYTHON  ?= python3
PROFILE ?= quick
DATA    ?=
SEEDS   ?=
BIN     := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[book,test]'
# the versions of the published numbers, where the interpreter is theirs; LOCK= takes the newest
LOCK    ?= $(shell $(PYTHON) -c 'import sys; print("--constraint constraints.txt" * (sys.version_info[:2] == (3, 11)))')

.PHONY: setup results book site verify miniature test test-gpu lint clean

setup: .venv/.installed

.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is not Python 3.10 to 3.13: name one with PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) $(LOCK) || { test -n "$(LOCK)" && echo "not all of constraints.txt is to be had here; newer releases are taken" \
	  && $(INSTALL); }
	@touch $@

# the batch: notebooks through papermill; only what changed runs again
results: setup
	$(BIN)/fashionlib results "$(PROFILE)" --data "$(DATA)" --seeds "$(SEEDS)"

# the batch, then the book of its results
book: results
	PYTHONPATH=book/_ext $(BIN)/python -m fashionbook.site $(PROFILE)

# the published book, no training
site: setup
	$(BIN)/jupyter-book build book

# the profile again in an empty folder, each number against the ledger
verify: setup
	$(BIN)/fashionlib verify --profile "$(PROFILE)" --data "$(DATA)" --seeds "$(SEEDS)"

# drawn stand-ins of the five published data sets, a folder each below DATA
miniature: setup
	@test -n "$(DATA)" || { echo "name the folder to be made: make miniature DATA=folder"; exit 1; }
	$(BIN)/fashionlib miniature all "$(DATA)"

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile  # one core per process

# what needs a GPU, on one
test-gpu: setup
	$(BIN)/python -m pytest -m gpu

lint: setup
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/pyright

# what runs leave; the ledger, the published notebooks and .venv stay
clean:
	rm -rf runs .snakemake book/_build results/smoke results/paper-smoke results/paper-smoke@*
	git ls-files -zoi --exclude-standard -- 'book/runs/*.ipynb' | xargs -0 rm -f
