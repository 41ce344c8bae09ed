# Every command installs what it needs; caches live outside the tree. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Optimise what `make run` builds: `make run PROFILE=release`.
PROFILE ?= dev
# More arguments for the program (`make run ARGS="--listen 127.0.0.1:8080"`) or for pytest (`make e2e ARGS="-k stream"`).
ARGS ?=
IMAGE ?= aigw:latest
CONTAINER ?= docker

.PHONY: help crds run test unit e2e e2e-full fmt lint deny ci bench bench-operator fuzz image

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | column -t -s $$'\t'

run: ## build and start a gateway with built-in mock providers; prints curl lines to paste
	@scripts/need.sh rust
	@cargo run --quiet --profile $(PROFILE) -p aigw -- run --demo $(ARGS)

test: unit e2e ## run every test

unit: ## run the Rust tests
	@scripts/unit.sh

# What carries the gateway's traffic in the end-to-end tests; `cluster`: a Kubernetes with the operator in it.
HOSTS ?= native envoy envoy-local cluster

e2e: ## run the end-to-end tests with the official SDKs, on every host (HOSTS="native envoy": only those)
	@for host in $(HOSTS); do \
		if [ $$host = cluster ]; then scripts/e2e-cluster.sh $(ARGS); else scripts/e2e.sh --host $$host $(ARGS); fi; \
	done

e2e-full: ## the same with full-size memory tests and what takes minutes in the cluster (needs a few GiB and half an hour)
	@AIGW_E2E_FULL=1 $(MAKE) e2e

fmt: ## format the code
	@scripts/need.sh rust
	@cargo fmt --all

lint: ## check format and lints
	@scripts/need.sh rust
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings

deny: ## check licences, sources and duplicate crates (installs cargo-deny in the cache first)
	@scripts/deny.sh

ci: ## all that CI runs
	@.ci/run

crds: ## write manifests/crds/ and the other generated parts of committed files
	@scripts/need.sh rust
	@scripts/generated.sh

bench: ## measure the gateway beside bare proxies and behind Envoy, 15 minutes (ARGS=--quick: two); docs/benchmarks.md
	@scripts/need.sh rust
	@cargo build --release --locked --bins -p aigw -p aigw-bench
	@cargo run --release --locked -p aigw-bench -- $(ARGS)

bench-operator: ## measure the operator at 2,000 routes and 100 readers on a real API server, five minutes; docs/benchmarks.md
	@scripts/need.sh rust
	@KUBEBUILDER_ASSETS="$$(scripts/kubernetes.sh)" cargo test --release --locked -p aigw --test scale -- --ignored --nocapture

fuzz: ## run each fuzz target for FUZZ_SECONDS, 60 (ARGS="peek sse": only those)
	@scripts/fuzz.sh $(ARGS)

image: ## build the container image
	@$(CONTAINER) build -t $(IMAGE) .
