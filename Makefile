# What a developer does here. Every target installs what it needs first; nothing else is to be done.

UV_VERSION := 0.13.9
VENV       := .venv
BIN        := $(VENV)/bin
UV         := $(BIN)/uv
UV_STAMP   := $(VENV)/.uv-$(UV_VERSION)
STAMP      := $(VENV)/.installed
PYTHONS    := python3 python3.13 python3.12 python3.11 python3.14 python

# The environment is always the one in .venv, whatever the shell that calls make has activated.
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV PYTHONHOME
# Trust what the machine trusts, such as the authority of a company's proxy; else uv's own list.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem /etc/ssl/ca-bundle.pem),)
export UV_SYSTEM_CERTS := true
endif

.DEFAULT_GOAL := help
.PHONY: help install dev test lint check references bench recovery guarantees clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

install: $(STAMP) ## Install everything into .venv, `orchestrate` included

dev: $(STAMP) ## Start UI, scheduler and code server with the example on http://localhost:3000
	@$(BIN)/orchestrate dev $(ARGS)

# What goes on for minutes in running systems comes last, side by side; then what wants the machine to
# itself.
LONG  := tests/integration/breaker tests/integration/recovery
ALONE := tests/integration/limits

test: $(STAMP) ## Run the tests; ARGS="..." goes to pytest, in dev to orchestrate
ifdef ARGS
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)
else
	$(BIN)/pytest -n 2 --dist loadfile $(LONG:%=--ignore=%) $(ALONE:%=--ignore=%)
	$(BIN)/pytest -n 2 --dist loadfile $(LONG)
	$(BIN)/pytest $(ALONE)
endif

lint: $(STAMP) ## The quick part of check: style and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

check: lint ## Everything that is judged without running the product
	$(BIN)/pyright
	$(BIN)/python -m orchestration.cli.reference | diff - docs/reference/cli.md
	$(BIN)/python -m orchestration.connectors.reference | diff - docs/reference/connectors.md
	$(BIN)/pytest --quiet tests/unit/config/test_generated.py
	$(UV) lock --check

references: $(STAMP) ## Write docs/reference and the JSON Schemas anew
	$(BIN)/python -m orchestration.cli.reference > docs/reference/cli.md
	$(BIN)/python -m orchestration.connectors.reference > docs/reference/connectors.md
	UPDATE_EXPECTED=1 $(BIN)/pytest --quiet tests/unit/config/test_generated.py

bench: $(STAMP) ## Measure, and rewrite benchmarks/RESULTS.md (half an hour); ARGS="burst" does one section
	$(BIN)/python benchmarks/run.py $(ARGS)

recovery: $(STAMP) ## Kill each process at each moment, and rewrite docs/reference/recovery.md (some 25 minutes)
	RECOVERY_MATRIX=full $(BIN)/pytest $(ARGS) tests/integration/recovery

guarantees: $(STAMP) ## Let each fault happen at each moment of a run, and rewrite docs/reference/guarantees.md (some 15 minutes)
	GUARANTEES_MATRIX=full $(BIN)/pytest $(ARGS) tests/integration/guarantees

clean: ## Remove .venv and everything that tools and runs left behind
	rm -rf $(VENV) .orchestrate .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage build dist

$(STAMP): $(UV_STAMP) pyproject.toml uv.lock
	$(UV) sync --frozen --all-extras --quiet
	@touch $@

$(UV_STAMP):
	@python=$$(for name in $(PYTHONS); do \
	    if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null; \
	    then command -v "$$name"; break; fi; done); \
	if [ -z "$$python" ]; then \
	    echo "Python 3.11 to 3.14 is needed, and none of these is one: $(PYTHONS)." >&2; \
	    echo "Install one (for example: apt-get install python3.11 python3.11-venv) and run make again." >&2; \
	    exit 1; fi; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || "$$python" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@rm -f $(VENV)/.uv-* && touch $@
