# What the Makefiles of the layers share: the packages of a layer, the dependency GROUP of pyproject.toml, for Lambda's
# platform, from any host. ROOT is the checkout; `sam build` names the layer's folder in ARTIFACTS_DIR.
PYTHON ?= python3
# The version of the functions' runtime; tests build for their own where there is no such Python.
LAMBDA_PYTHON ?= 3.13
# Where there is such a Python, it compiles for Lambda, which cannot keep bytecode itself: each cold start would.
COMPILER ?= python$(LAMBDA_PYTHON)

.PHONY: packages

# Lambda's Amazon Linux 2023 runs manylinux_2_28 and what is older; pip takes older wheels only when they are named.
packages:
	"$(PYTHON)" -m pip install --quiet --require-hashes --requirement "$(ROOT)/layers/$(GROUP)/packages.txt" \
		--target "$(ARTIFACTS_DIR)/python" --no-compile --only-binary=:all: --python-version $(LAMBDA_PYTHON) \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64
	@"$(COMPILER)" -m compileall -q --invalidation-mode unchecked-hash \
		-s "$(ARTIFACTS_DIR)" -p /opt "$(ARTIFACTS_DIR)/python" 2>/dev/null || \
		echo "$(GROUP): no python$(LAMBDA_PYTHON) here, so it goes without bytecode and starts more slowly"
