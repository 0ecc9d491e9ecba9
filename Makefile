# `make up` sets up what is missing and starts everything; `make test` runs every test. Both are safe to repeat.
PYTHON ?= python3
BIN := .venv/bin
# More words for `signet up`, for example: make up ARGS="--data /srv/signet --port 8080"
ARGS ?=
# More words for pytest, for example: make test TESTS=tests/unit ARGS="-k lease"
TESTS ?= tests/unit tests/conformance tests/contract tests/integration tests/attacks tests/browser

.PHONY: help up test attacks bench-router lint protos clean

help:
	@echo "make up      set up what is missing, start Signet and talk to an agent"
	@echo "make test    run every test"
	@echo "make attacks try to get out of a sandbox, as root and as an ordinary user"
	@echo "make bench-router  measure the router beside other gateways, which it installs apart; 12 minutes"
	@echo "make lint    check form, types, protos and layers"
	@echo "make protos  write the stubs of protos/ into signet/"
	@echo "make clean   remove what the others made, but no data"

up:
	@$(PYTHON) deploy/setup.py up
	@$(BIN)/python -m signet.cli up $(ARGS)

test:
	@$(PYTHON) deploy/setup.py test
	$(BIN)/python -m pytest $(TESTS) $(ARGS)

attacks:
	@$(PYTHON) deploy/setup.py test
	$(BIN)/python -m pytest tests/attacks $(ARGS)

# Quicker, or again for the page of results: make bench-router ARGS=--quick, make bench-router ARGS="-o json" > results.json
bench-router:
	@$(PYTHON) deploy/setup.py bench >&2
	-@$(PYTHON) deploy/peers/install.py >&2
	@$(BIN)/python -m signet.cli bench router $(ARGS)

lint:
	@$(PYTHON) deploy/setup.py lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/buf lint
	$(BIN)/python protos/generate.py --check
	$(BIN)/python -m pytest -q tests/contract/test_layers.py

protos:
	@$(PYTHON) deploy/setup.py lint
	$(BIN)/python protos/generate.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
