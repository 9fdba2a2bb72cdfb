# make test is the one gate: people, hooks and CI run the same. make help lists the targets.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := build

# go.mod names the toolchain that the product is built with; auto lets the go command fetch it through its module proxy
# where the installed one is older.
export GOTOOLCHAIN := auto
ifneq ($(shell GOTOOLCHAIN=auto go version >/dev/null 2>&1 && echo ok),ok)
$(warning ############ the toolchain that go.mod names could not be fetched; using the installed one, which may lack security fixes)
export GOTOOLCHAIN := local
endif
# The tests must run with the requirements that go.mod pins, whatever the environment says.
export GOFLAGS := -mod=readonly -buildvcs=false

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS   := -s -w -X main.version=$(VERSION)
FUZZTIME  ?= 3s
# All fuzz targets together get this many seconds in make test, compilation aside.
FUZZBUDGET ?= 0
BENCHCOUNT ?= 6
SCRIPTS   := internal/tools/scripts
TOOL      := go tool -modfile=internal/tools/go.mod
# Root on Debian has every peer that the tests drive, so nothing may be skipped there.
DEBIAN_ROOT := $(shell [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ] && echo yes)
TESTSUM   := bin/testsum $(if $(DEBIAN_ROOT),-no-skips)

.PHONY: help build test setup check race fuzz fuzz-smoke bench bench-lists cover image image-test generate generate-check clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

build: ## the static binary, bin/weir
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/weir ./cmd/weir

test: ## everything: set-up, checks, race and end-to-end tests, fuzz smoke, image (under 20 minutes on 2 cores)
	@$(if $(DEBIAN_ROOT),:,echo 'left out: image-test (needs root on Debian)')
	@$(SCRIPTS)/stages.sh setup check race fuzz-smoke $(if $(DEBIAN_ROOT),image-test)

setup: ## install the programs that the tests drive (root on Debian), or say what is missing
	@$(SCRIPTS)/setup.sh

check: ## format, vet, fix, staticcheck, architecture, generated files, scripts, go.mod
	@files=$$($(TOOL) gofumpt -l .); [ -z "$$files" ] || { echo "gofumpt -w would change:"; echo "$$files"; exit 1; }
	@go vet ./...
	@go vet -C internal/tools -tags image ./...
	@go fix -diff ./...
	@$(TOOL) staticcheck ./...
	@go test ./internal/archtest
	@go test -C internal/tools ./testsum
	@$(SCRIPTS)/generate-check.sh
	@shellcheck .ci/run $(SCRIPTS)/*.sh
	@if command -v yamllint >/dev/null; then yamllint -s -d '{extends: relaxed, rules: {line-length: disable}}' compose.yaml $(wildcard configs/*.yaml); else echo 'left out: yamllint'; fi
	@go mod tidy -diff
	@echo check: clean

race: bin/testsum ## all tests under the race detector, shuffled; end to end included
	@go test -race -shuffle=on -timeout 15m -json ./... | $(TESTSUM)

fuzz: ## every fuzz target for FUZZTIME (3s)
	@$(SCRIPTS)/fuzz.sh $(FUZZTIME) $(FUZZBUDGET)

# Integration counts inputs instead of seconds: what it lets land must not hang on the luck of a search. People search longer.
fuzz-smoke:
	@$(SCRIPTS)/fuzz.sh $(if $(CI),200x,$(FUZZTIME)) 90

bench: ## all benchmarks, BENCHCOUNT times, as a benchstat table
	@mkdir -p bin
	go test -run '^$$' -bench . -benchmem -count $(BENCHCOUNT) ./... | tee bin/bench.txt
	$(TOOL) benchstat bin/bench.txt

bench-lists: build ## lists: look-up, memory, start, compile and collection with 1 and 5 million names, beside Go's map, a linear search, unbound and dnsmasq
	WEIR_BENCH_NAMES=1000000,5000000 go test -run '^$$' -bench '^BenchmarkLookup$$' -benchtime 1x -timeout 30m ./blocklists/set
	WEIR_BENCH_NAMES=1000000,5000000 go test -run '^$$' -bench 'Parallel|Open|Compile|GC|Linear' -benchmem -timeout 30m ./blocklists/set
	WEIR_BENCH_NAMES=5000000 go test -run '^$$' -bench Start -benchtime 5x ./blocklists/source
	@$(SCRIPTS)/bench-lists-peers.sh 1000000

cover: ## statement coverage per function, bin/cover.out
	@mkdir -p bin
	go test -coverpkg=./... -coverprofile bin/cover.out ./...
	go tool cover -func bin/cover.out | tail -n 1

image: ## the image, with the engine at hand
	@engine=$$(command -v docker || command -v podman); "$$engine" build --build-arg VERSION=$(VERSION) -t weir:latest .

image-test: bin/testsum ## build the image with podman and run it as a user would
	@go mod download
	@go test -C internal/tools -tags image -count 1 -timeout 10m -json ./imagetest | $(TESTSUM)

generate: ## write the generated files
	go generate ./...

generate-check: ## fail where generated files differ from what their generators write
	@$(SCRIPTS)/generate-check.sh

bin/testsum: internal/tools/testsum/main.go
	@mkdir -p bin
	@go build -C internal/tools -o ../../bin/testsum ./testsum

clean: ## remove what make built
	rm -rf bin
