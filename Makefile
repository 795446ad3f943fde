.PHONY: demo ui test soak check clean

## A dozen pictures through the whole pipeline; results in vivid-demo/
demo:
	@tools/setup
	@.venv/bin/vivid demo

## Dagster's UI on the demo's result: http://localhost:3000
ui:
	@tools/setup
	@.venv/bin/vivid ui --store vivid-demo/store

## Everything: style, types, floors, and all tests
test: check
	@# The tests start some hundred processes: whatever the machine says, bytecode is kept between them. One more at a
	@# time than there are cores, since who tests a live Dagster mostly waits for its next tick.
	@env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 .venv/bin/python -m pytest \
		--numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist loadfile --no-loadscope-reorder -m "not soak"

## What takes long: a hundred kills in the middle of a run, a store that stalls, whole models compiled, the whole demo
soak:
	@tools/setup dev
	@.venv/bin/python -m pytest -m soak

## The quick part: style, types, floors; then `.venv/bin/pytest` runs the quick tests
check:
	@tools/setup dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

clean:
	rm -rf .venv vivid-demo vivid_store
