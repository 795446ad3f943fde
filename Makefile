.PHONY: demo ui lint check test soak clean

## Eleven pictures through the whole pipeline; results in vivid-demo/
demo:
	@tools/setup
	@.venv/bin/vivid demo

## Dagster's UI on the demo's result: http://localhost:3000
ui:
	@tools/setup
	@.venv/bin/vivid ui --store vivid-demo/store

## Style, format and layers in half a minute, without the 6 GB that the rest needs
lint:
	@tools/lint

## The quick part: style, types, layers; then `.venv/bin/pytest` runs the quick tests
check:
	@tools/setup dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

## Everything: style, types, layers, and all tests
test:
	@tools/setup dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports
	@# The tests start some hundred processes, which share compiled bytecode. Two processes more than there are cores,
	@# since tests of a live Dagster mostly wait for its next tick. Types are checked beside them.
	@.venv/bin/mypy & types=$$!; \
	env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 .venv/bin/python -m pytest \
		--numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 2)) --dist loadfile --no-loadscope-reorder -m "not soak"; \
	tests=$$?; wait $$types && exit $$tests

## Long tests: a hundred kills in the middle of a run, a store that stalls, whole models compiled, the whole demo
soak:
	@tools/setup dev
	@.venv/bin/python -m pytest -m soak

clean:
	rm -rf .venv .venv-lint vivid-demo vivid_store
