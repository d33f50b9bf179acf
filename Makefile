# Each target is one command that you can read here and run by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# An extra package index, for example PyTorch's index of CPU builds. Without it pip may download gigabytes of CUDA.
EXTRA_INDEX_URL ?=
export EXTRA_INDEX_URL
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The local AWS: ministack, or localstack, which needs Python 3.13 (PYTHON313=…, unless it is found by its name).
AWS ?= ministack
export MLOPS_AWS := $(AWS)
ifdef PYTHON313
export PYTHON313
endif

# The platform's packages, for tools that import them as Lambda and the container do.
empty :=
SOURCES := PYTHONPATH=$(subst $(empty) $(empty),:,layers/core/python training_container client $(wildcard functions/*))

.DEFAULT_GOAL := help
.PHONY: help install demo up engine down status logs reset test fuzz coverage lint docs docs-links format bench bench-train openapi
.PHONY: cli-docs console console-check invoke screenshots key pins
.PHONY: sam build package deploy destroy smoke lint-aws test-localstack keys rotate-key revoke-key

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

install: $(VENV)/installed $(BIN)/mlops ## create .venv with the pinned dependencies and the command mlops

# The stamp file avoids another installation until pyproject.toml or constraints.txt changes.
$(VENV)/installed: pyproject.toml constraints.txt
	@case "$$PWD" in *[:%\"\\\$$\`]*) echo "error: this folder has one of : % \" $$ \` \\ in its path, with which venv, MLflow or PostgreSQL do not work: move it" >&2; exit 1;; esac
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python %d.%d is not supported: install Python 3.11, 3.12 or 3.13, or choose one: make PYTHON=python3.12" % v)'
	@echo "installing about 160 packages into $(VENV); this takes a few minutes the first time"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq 'pip>=25.1'
	@$(BIN)/python -m pip install -qq $(if $(EXTRA_INDEX_URL),--extra-index-url $(EXTRA_INDEX_URL)) --constraint constraints.txt --group dev
	@touch $@

# The command line of this checkout, with its code as it is.
$(BIN)/mlops: tools/mlops.sh $(VENV)/installed
	@install -m 755 $< $@

demo: install ## start the platform, then train, compare, register, promote and predict (AWS=localstack: on LocalStack)
	@$(BIN)/python -m infra.local demo

up: install ## start the local stack, and deploy the template and changed code (AWS=localstack: on LocalStack)
	@$(BIN)/python -m infra.local up

engine: install ## run LocalStack alone in this terminal, for make up AWS=localstack; it says how
	@MLOPS_AWS=localstack $(BIN)/python -m infra.local engine

down: ## stop the local stack; keep its state in .local/
	@$(BIN)/python -m infra.local down

status: ## show what is running, with addresses
	@$(BIN)/python -m infra.local status

logs: ## show logs of the local stack (NAME=aws|tracking|database|migrate), or of a function on AWS (FUNCTION=predict ENV=dev)
	@$(if $(FUNCTION),$(MAKE) --silent sam && $(BIN)/python -m infra.deploy logs --env $(ENV) $(FUNCTION),$(BIN)/python -m infra.local logs $(NAME))

invoke: install ## call a function in a process in this terminal, for the debugger (FUNCTION=predict EVENT=file.json)
	@$(BIN)/python -m tools.invoke $(FUNCTION) $(EVENT)

reset: ## stop the local stack, and remove all its state
	@$(BIN)/python -m infra.local reset

test: install lint ## run lint and the tests: unit, template, integration, end to end (SLOW=1: the slow ones too)
	@$(BIN)/python -m pytest $(PARALLEL) $(if $(SLOW),,-m "not slow") $(PYTEST_ARGS)

# A process gets its next file of tests when it is free. `make test JOBS=0` runs all tests in one process.
JOBS ?= 2
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder

MINUTES ?= 60
fuzz: install ## let the tests that generate their input go on, with other inputs each time (MINUTES=60)
	@end=$$(( $$(date +%s) + 60 * $(MINUTES) )); \
	while [ $$(date +%s) -lt $$end ]; do FUZZ=10 $(BIN)/python -m pytest -m fuzz -q $(PARALLEL) $(PYTEST_ARGS) || exit 1; done

# Not part of make test: with branch coverage the same 711 tests took 125 s of CPU time instead of 84.
coverage: install ## measure which lines the unit tests run; the report is build/coverage/index.html
	@$(BIN)/python -m pytest tests/unit $(PARALLEL) --cov --cov-report=term --cov-report=html $(PYTEST_ARGS)

docs: install ## build the documentation as a site in build/docs; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/docs/index.html"

docs-links: install ## follow the documentation's links to other sites; it needs a network
	@$(BIN)/python -m tools.external_links

lint: install ## check style, types, imports, GitHub's files, and whether the generated files are up to date
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@report=$$($(SOURCES) $(BIN)/lint-imports --no-logo --no-cache) || { echo "$$report"; exit 1; }
	@$(SOURCES) $(BIN)/python -m tools.openapi --check
	@$(BIN)/python -m tools.client_models --check
	@$(CLI_DOCS) | diff --ignore-blank-lines docs/cli.md - || { echo "docs/cli.md is not up to date: run make cli-docs"; exit 1; }
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yaml examples/*/.github/workflows/*.yaml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yaml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml

# Node, which only work on the console needs, in an environment of its own.
CONSOLE := .venv-console
CONSOLE_BUILD := $(CONSOLE)/bin/python console/build.py

console: $(CONSOLE)/installed ## build the web console from its sources; commit the result
	@$(CONSOLE_BUILD)

console-check: $(CONSOLE)/installed ## run the console's tests, type check and linter, and compare the committed build with its sources
	@$(CONSOLE_BUILD) --check
	@$(CONSOLE_BUILD) --run test
	@$(CONSOLE_BUILD) --run lint

$(CONSOLE)/installed: pyproject.toml constraints.txt
	@echo "installing Node into $(CONSOLE)"
	@$(PYTHON) -m venv $(CONSOLE)
	@$(CONSOLE)/bin/python -m pip install -qq 'pip>=25.1'
	@$(CONSOLE)/bin/python -m pip install -qq --constraint constraints.txt --group console
	@touch $@

format: install ## format the code, and fix what the linters can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@if test -e $(CONSOLE)/installed; then $(CONSOLE_BUILD) --run format; fi

bench: install ## run the benchmarks, and write benchmarks/results/
	@$(SOURCES) $(BIN)/python -m benchmarks

bench-train: install ## measure training: tables and bare libraries, tpe and random draws, MNIST (MNIST_DIR) and a plain loop
	@$(SOURCES) $(BIN)/python -m benchmarks tables sweeps train

screenshots: install ## take the pictures in docs/pictures again; run make demo first
	@$(SOURCES) $(BIN)/python -m tools.screenshots

openapi: install ## write openapi.json, docs/api.md and the client's records from the code
	@$(SOURCES) $(BIN)/python -m tools.openapi
	@$(BIN)/python -m tools.client_models

CLI_DOCS := $(SOURCES) $(BIN)/typer mlops_client.cli utils docs --name mlops --title "The command line"

cli-docs: install ## write docs/cli.md from the commands' help
	@$(CLI_DOCS) --output docs/cli.md

key: install ## create an API key: make key NAME=alice OWNER=alice ROLE=read MODELS="churn*"
	@$(SOURCES) $(BIN)/python -m tools.keys create --name "$(NAME)" --owner "$(OWNER)" --role "$(ROLE)" $(if $(MODELS),--models $(foreach model,$(MODELS),"$(model)"))

keys: install ## list the API keys with their ids and roles
	@$(SOURCES) $(BIN)/python -m tools.keys list

rotate-key: install ## create a second key with the same name: make rotate-key NAME=alice, then make revoke-key ID=…
	@$(SOURCES) $(BIN)/python -m tools.keys rotate --name "$(NAME)"

revoke-key: install ## delete an API key: make revoke-key ID=…
	@$(SOURCES) $(BIN)/python -m tools.keys revoke --id "$(ID)"

pins: install .venv-uv/installed ## pin what runs on AWS by hash, after a change of pyproject.toml or constraints.txt
	@$(BIN)/python -m tools.pins .venv-uv/bin/uv

# --- AWS -----------------------------------------------------------------------------------------------------------------
ENV ?= dev
# If it is set, SAM does not ask before it deploys prod (samconfig.toml): for machines that cannot answer.
SAM_ANSWER ?=
SAM := .venv-sam
CHECKOV := .venv-checkov
export SAM_CLI_TELEMETRY := 0

sam: $(SAM)/installed

# Tools with their own environments, because their pins conflict with the platform's.
.venv-%/installed: infra/deploy/%-requirements.txt
	@echo "installing $* into .venv-$*"
	@$(PYTHON) -m venv --clear .venv-$*
	@.venv-$*/bin/python -m pip install -qq 'pip>=25.1'
	@.venv-$*/bin/python -m pip install -qq -r $<
	@touch $@

build: $(SAM)/installed ## build layers for Lambda with sam build
	@test -s layers/web/certificates/rds.pem || $(MAKE) --silent -C layers/web certificates
	@$(SAM)/bin/python console/build.py
	@find functions layers/core -name __pycache__ -prune -exec rm -rf {} +
	@PYTHON="$$PWD/$(SAM)/bin/python" $(SAM)/bin/sam build

package: build ## put the built code into a bucket, and write build/packaged.yaml for infra/terraform (BUCKET=…)
	@test -n "$(BUCKET)" || { echo "error: which bucket? make package BUCKET=<a bucket in the stack's region>" >&2; exit 1; }
	@mkdir -p build
	@$(SAM)/bin/sam package --s3-bucket "$(BUCKET)" --output-template-file build/packaged.yaml

# make hands PARAMETERS on as a variable, so no shell reads its brackets and stars.
deploy: install $(SAM)/installed ## deploy to AWS and run the smoke test: make deploy ENV=dev|staging|prod PARAMETERS="Name=value …" (DRY=1: only say what it would do)
	@$(SOURCES) $(BIN)/python -m infra.deploy $(if $(DRY),plan,up) --env $(ENV) $(if $(SAM_ANSWER),--yes)

destroy: install ## delete a stack on AWS, and say what is kept: make destroy ENV=…
	@$(BIN)/python -m infra.deploy destroy --env $(ENV)

smoke: ## test a deployment or the local stack: make smoke URL=… KEY=…
	@MLOPS_API_KEY="$(or $(KEY),$(MLOPS_API_KEY))" $(PYTHON) -m infra.deploy.smoke "$(or $(URL),$(MLOPS_API_URL))"

lint-aws: $(SAM)/installed $(CHECKOV)/installed ## check the template with sam validate --lint and checkov
	@$(SAM)/bin/sam validate --lint --region us-east-1
	@$(CHECKOV)/bin/checkov --config-file .checkov.yaml

test-localstack: install ## run every function and the main job on LocalStack, or test an endpoint that is up (AWS_ENDPOINT_URL=…)
	@MLOPS_LOCALSTACK=1 $(BIN)/python -m pytest tests/localstack $(PYTEST_ARGS)
