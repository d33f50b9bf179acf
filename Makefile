# Thin on purpose: each target is one command that can be read here and run by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# An extra package index, for example PyTorch's CPU builds on a machine whose index has only CUDA ones.
EXTRA_INDEX_URL ?=
export EXTRA_INDEX_URL
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Where the platform's own packages lie, for tools that import them as Lambda and the container do.
empty :=
SOURCES := PYTHONPATH=$(subst $(empty) $(empty),:,layers/core/python training_container client $(wildcard functions/*))

.DEFAULT_GOAL := help
.PHONY: help install demo up down status logs reset test coverage lint docs format bench bench-train openapi
.PHONY: cli-docs console console-check invoke screenshots key
.PHONY: sam build deploy destroy smoke lint-aws test-localstack keys rotate-key revoke-key

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

install: $(VENV)/installed ## make .venv with the pinned dependencies

# A stamp, so that nothing is installed again until pyproject.toml or constraints.txt change.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python %d.%d is not supported: install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=python3.12" % v)'
	@echo "installing the dependencies into $(VENV); some 160 packages; the first time this takes a few minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq 'pip>=25.1'
	@$(BIN)/python -m pip install -qq $(if $(EXTRA_INDEX_URL),--extra-index-url $(EXTRA_INDEX_URL)) --constraint constraints.txt --group dev
	@touch $@

demo: install ## see the whole platform work: train, compare, register, promote, predict
	@$(BIN)/python -m infra.local demo

up: install ## start the local stack and deploy the template into it
	@$(BIN)/python -m infra.local up

down: ## stop the local stack; its state stays in .local/
	@$(BIN)/python -m infra.local down

status: ## what runs where
	@$(BIN)/python -m infra.local status

logs: ## what the stack's processes write (NAME=aws|tracking|database|migrate); on AWS, a function: FUNCTION=predict ENV=dev
	@$(if $(FUNCTION),$(MAKE) --silent sam && $(BIN)/python -m infra.deploy logs --env $(ENV) $(FUNCTION),$(BIN)/python -m infra.local logs $(NAME))

invoke: install ## one function in this process against the local stack, for the debugger: FUNCTION=predict EVENT=file.json
	@$(BIN)/python -m tools.invoke $(FUNCTION) $(EVENT)

reset: ## stop the local stack and remove all its state
	@$(BIN)/python -m infra.local reset

test: install lint ## every test: unit, template, integration, end to end
	@$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

# What needs the session's stack is one group, on one worker; `make test JOBS=0` runs everything in one process.
JOBS ?= 2
PARALLEL := -n $(JOBS) --dist loadgroup

# Not part of make test: measuring branches took 125 s of processor time instead of 84 on the same 711 tests.
coverage: install ## which lines of our code the unit tests run; the report by line is build/coverage/index.html
	@$(BIN)/python -m pytest tests/unit $(PARALLEL) --cov --cov-report=term --cov-report=html $(PYTEST_ARGS)

docs: install ## the documentation as a site in build/docs; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/docs/index.html"

lint: install ## ruff, mypy, import arrows, the files of GitHub, and whether the generated files are what the code says
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@report=$$($(SOURCES) $(BIN)/lint-imports --no-logo --no-cache) || { echo "$$report"; exit 1; }
	@$(SOURCES) $(BIN)/python -m tools.openapi --check
	@$(BIN)/python -m tools.client_models --check
	@$(CLI_DOCS) | diff --ignore-blank-lines docs/cli.md - || { echo "docs/cli.md is not what the commands say: run make cli-docs"; exit 1; }
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yaml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml

# Node, which only work on the console needs, in an environment of its own.
CONSOLE := .venv-console
CONSOLE_BUILD := $(CONSOLE)/bin/python console/build.py

console: $(CONSOLE)/installed ## build the web console anew from its sources; commit what it builds
	@$(CONSOLE_BUILD)

console-check: $(CONSOLE)/installed ## the console's tests, types and linter, and whether the committed build is what its sources give
	@$(CONSOLE_BUILD) --check
	@$(CONSOLE_BUILD) --run test
	@$(CONSOLE_BUILD) --run lint

$(CONSOLE)/installed: pyproject.toml constraints.txt
	@echo "installing Node into $(CONSOLE)"
	@$(PYTHON) -m venv $(CONSOLE)
	@$(CONSOLE)/bin/python -m pip install -qq 'pip>=25.1'
	@$(CONSOLE)/bin/python -m pip install -qq --constraint constraints.txt --group console
	@touch $@

format: install ## put the code in the form that lint asks for
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@if test -e $(CONSOLE)/installed; then $(CONSOLE_BUILD) --run format; fi

bench: install ## measure, and write benchmarks/results/
	@$(SOURCES) $(BIN)/python -m benchmarks

bench-train: install ## accuracy, time and memory of the model types on MNIST (MNIST_DIR), beside a plain PyTorch loop
	@$(SOURCES) $(BIN)/python -m benchmarks.train

screenshots: install ## take the pictures of docs/pictures anew, from the stack that make demo left up
	@$(BIN)/python -m tools.screenshots

openapi: install ## write openapi.json and docs/api.md from the code, and the client's records from openapi.json
	@$(SOURCES) $(BIN)/python -m tools.openapi
	@$(BIN)/python -m tools.client_models

CLI_DOCS := $(SOURCES) $(BIN)/typer mlops_client.cli utils docs --name mlops --title "The command line"

cli-docs: install ## write docs/cli.md from the commands
	@$(CLI_DOCS) --output docs/cli.md

key: install ## make an API key: make key NAME=alice ROLE=read
	@$(SOURCES) $(BIN)/python -m tools.keys create --name "$(NAME)" --role "$(ROLE)"

keys: install ## the API keys, by id, with their roles
	@$(SOURCES) $(BIN)/python -m tools.keys list

rotate-key: install ## a new value beside the old one: make rotate-key NAME=alice, then make revoke-key ID=…
	@$(SOURCES) $(BIN)/python -m tools.keys rotate --name "$(NAME)"

revoke-key: install ## let a key in no more: make revoke-key ID=…
	@$(SOURCES) $(BIN)/python -m tools.keys revoke --id "$(ID)"

# --- AWS -----------------------------------------------------------------------------------------------------------------
ENV ?= dev
# Anything here deploys without SAM's question, which samconfig.toml asks for prod: for machines that cannot answer.
SAM_ANSWER ?=
SAM := .venv-sam
CHECKOV := .venv-checkov
export SAM_CLI_TELEMETRY := 0

sam: $(SAM)/installed

# Tools in environments of their own: what they pin does not fit what the platform pins.
.venv-%/installed: infra/deploy/%-requirements.txt
	@echo "installing $* into .venv-$*"
	@$(PYTHON) -m venv .venv-$*
	@.venv-$*/bin/python -m pip install -qq 'pip>=25.1'
	@.venv-$*/bin/python -m pip install -qq -r $<
	@touch $@

build: $(SAM)/installed ## sam build: the layers for Lambda, from any host
	@test -s layers/web/certificates/rds.pem || $(MAKE) --silent -C layers/web certificates
	@$(SAM)/bin/python console/build.py
	@find functions layers/core -name __pycache__ -prune -exec rm -rf {} +
	@PYTHON=$(abspath $(SAM)/bin/python) $(SAM)/bin/sam build

deploy: install $(SAM)/installed ## make deploy ENV=dev|staging|prod PARAMETERS="Name=value …": images, build, deploy, smoke test
	@$(SOURCES) $(BIN)/python -m infra.deploy up --env $(ENV) $(if $(SAM_ANSWER),--yes) $(PARAMETERS)

destroy: install ## make destroy ENV=…: delete the stack; says what stays and has to be done by hand
	@$(BIN)/python -m infra.deploy destroy --env $(ENV)

smoke: ## make smoke URL=… KEY=…: does a deployment, or the local stack, answer as it should
	@MLOPS_API_KEY="$(or $(KEY),$(MLOPS_API_KEY))" $(PYTHON) -m infra.deploy.smoke "$(or $(URL),$(MLOPS_API_URL))"

lint-aws: $(SAM)/installed $(CHECKOV)/installed ## sam validate --lint and checkov
	@$(SAM)/bin/sam validate --lint --region us-east-1
	@$(CHECKOV)/bin/checkov --config-file .checkov.yaml

test-localstack: install ## what an S3, SQS, Lambda, … endpoint that is up answers: AWS_ENDPOINT_URL=http://localhost:4566
	@MLOPS_LOCALSTACK=1 $(BIN)/python -m pytest tests/localstack $(PYTEST_ARGS)
