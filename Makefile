# Two commands and some helpers. `make help` lists them; `make test ARGS="-k expiry"` passes options on.

PY := .venv/bin/python
ARGS ?=
LOCK := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

BASE := .venv/.installed-base
DEV := .venv/.installed-dev
FRAMEWORKS := .venv/frameworks/.installed .venv/crewai/.installed

export UV_PYTHON_DOWNLOADS := never
# Compiled once, not at every start of each of the many processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test lint format types types-ts imports migrations-check messages pictures check lock-check lock bench dev frameworks clean

help:
	@echo "make run               set up and start the server with a demo operator and agent (PORT, HITL_DATA_DIR)"
	@echo "make test              set up and run all tests, on SQLite and on real PostgreSQL and Redis"
	@echo "make lint              style of code and templates;  make format  puts it right"
	@echo "make types             mypy"
	@echo "make types-ts          the types of client-ts, generated from the server's OpenAPI document"
	@echo "make imports           the layers of the architecture"
	@echo "make migrations-check  no model without its migration"
	@echo "make messages          every string of the pages into locale/, for translators, and what they wrote out of it"
	@echo "make pictures          the pictures of the pages in docs/pictures (ARGS=\"inbox run\" for some)"
	@echo "make check             Django's system checks"
	@echo "make lock-check        the locked requirements are complete and hashed"
	@echo "make lock              lock the requirements of pyproject.toml anew (ARGS=--upgrade for new versions)"
	@echo "make bench             measure the server"
	@echo "make dev               the development environment in .venv"
	@echo "make frameworks        the agent frameworks that the adapters are tried with, in .venv/frameworks and .venv/crewai"
	@echo "make clean             remove .venv and caches; data in var/ stays"

# --- The two commands --------------------------------------------------------------------------------

run: $(BASE)
	@echo "==> migrating the database"
	@$(PY) manage.py migrate --verbosity 0
	@$(PY) manage.py setup_demo
	@exec $(PY) manage.py serve

test: $(DEV) $(FRAMEWORKS)
	@exec $(PY) -m tests $(ARGS)

# --- Checks ------------------------------------------------------------------------------------------

TEMPLATES = find . -path ./.venv -prune -o -path '*/templates/*.html' -print0

lint: $(DEV)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(TEMPLATES) | xargs -0 -r .venv/bin/djade --target-version 5.2 --check

format: $(DEV)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(TEMPLATES) | xargs -0 -r .venv/bin/djade --target-version 5.2

types: $(DEV)
	$(PY) -m mypy .

types-ts: $(DEV)
	@cd client-ts && npm ci --silent --no-audit --no-fund
	@$(PY) manage.py spectacular --format openapi-json --file .venv/openapi.json
	@node client-ts/generate.mjs < .venv/openapi.json > client-ts/src/schema.ts

imports: $(DEV)
	$(PY) .venv/bin/lint-imports

migrations-check: $(DEV)
	$(PY) manage.py makemigrations --check --dry-run

messages: $(DEV)
	@$(PY) -m tests.messages

pictures: $(DEV)
	@$(PY) -m tests.pictures $(ARGS)

check: $(DEV)
	$(PY) manage.py check

lock-check: $(DEV)
	$(PY) .ci/check_lock.py

# The checks load the settings, but neither read nor touch the data of `make run`.
types types-ts migrations-check check: export HITL_DATA_DIR := .venv/scratch

bench: $(DEV)
	$(PY) -m benchmarks $(ARGS)

# --- The environment ---------------------------------------------------------------------------------

dev: $(DEV)

$(BASE): requirements/base.txt requirements/uv.txt
	@.ci/environment base

$(DEV): requirements/dev.txt requirements/uv.txt
	@.ci/environment dev

frameworks: $(FRAMEWORKS)

# What agents are written with, for the tests of the adapters.
.venv/%/.installed: requirements/%.txt $(DEV)
	@.ci/environment $*

# An environment whose Python has gone is made anew, whatever its stamps say.
ifneq ($(shell test -x $(PY) && $(PY) -c 'print("ok")'),ok)
.PHONY: $(BASE) $(DEV)
endif

# dev first: what runs in production is then what was tested.
lock: $(DEV)
	$(LOCK) $(ARGS) --group installer --output-file requirements/uv.txt
	$(LOCK) $(ARGS) --group dev pyproject.toml --output-file requirements/dev.txt
	$(LOCK) --constraint requirements/dev.txt pyproject.toml --output-file requirements/base.txt
	$(LOCK) $(ARGS) --group frameworks --output-file requirements/frameworks.txt
	$(LOCK) $(ARGS) --group crewai --output-file requirements/crewai.txt
	@$(PY) .ci/check_lock.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
