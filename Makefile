# Windrow needs Go (see go.mod) and make. Targets install all other tools that
# they use, pinned, below .tools or the user's cache folder.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO      ?= go
TOOLS   := $(CURDIR)/.tools
LINT    := $(TOOLS)/golangci-lint-v2.15.0
SOURCES := $(shell $(GO) env GOROOT)/src
T       ?= 10s
ROUNDS   ?= 3
PACKAGES ?= ./...
# Packages whose tests do more without the race detector than with it.
WHOLE    := ./master/scheduler ./integration/sim ./integration/words
# Flags of tests with the race detector. Without the tables that debuggers read, which no
# message of a test needs, programs are a fifth smaller.
RACE     := -race -vet=off -ldflags=-w -parallel 8
# The race detector keeps what it knows of memory on pages of 4 KiB unless this lets it
# use large ones, with which the tests of store/azure take 17 s in place of 30.
GORACE   ?= no_huge_pages_for_shadow=0
export GORACE

.PHONY: help
help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: ## build bin/windrow, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/windrow ./cmd/windrow

.PHONY: demo
demo: build ## count the words of Go's own source, and show the ten most frequent
	bin/windrow run wordcount --input '$(SOURCES)/**/*.go' --out out/words --on-exists replace
	bin/windrow cat out/words | sort -t "$$(printf '\t')" -k2,2nr | sed -n 1,10p

.PHONY: test
test: tools ## run all tests, with the race detector; and some again without it, which then try more
	$(GO) test $(RACE) -timeout 20m ./...
	$(GO) test -vet=off -parallel 8 -timeout 20m $(WHOLE)

.PHONY: test-faults
test-faults: tools ## break clusters of real processes in every known way, try more seeds and explore more states of two masters
	$(GO) test -count=1 $(RACE) -tags faults -timeout 30m ./integration/faults
	$(GO) test -count=1 $(RACE) -tags faults -timeout 30m ./integration -run 'TestLibraryUnderFaults|TestAnyConfiguration|TestKilledAfterEveryWrite|TestRacesForOneOutput|TestTwoProcesses|TestRandomGraphs'
	$(GO) test -count=1 $(RACE) -timeout 30m ./integration/sim -run TestSim -seeds 60
	$(GO) test -count=1 ./master/scheduler -run 'TestExplore$$/(takeover|cancel|collection)' -states 300000
	$(GO) test -count=1 ./master/scheduler -run 'TestExplore$$/(stages|lineage)' -states 60000

.PHONY: test-load
test-load: tools ## run all tests three times beside eight busy processes
	@busy=; trap 'kill $$busy 2>/dev/null' EXIT; \
	for i in 1 2 3 4 5 6 7 8; do timeout 4h sh -c 'while :; do :; done' & busy="$$busy $$!"; done; \
	$(GO) test -count=$(ROUNDS) $(RACE) -timeout 3h $(PACKAGES); \
	$(if $(filter ./...,$(PACKAGES)),$(GO) test -count=$(ROUNDS) -parallel 8 -timeout 3h $(WHOLE),:)

# Peers that read and write the same formats, from the Python package index.
FORMATS := $(TOOLS)/formats-2

.PHONY: test-formats
test-formats: $(FORMATS) ## exchange files of every format with DuckDB, pyarrow, polars and fastavro (installs them with pip)
	PYTHONPATH=$(FORMATS) $(GO) test -count=1 -tags formats -run Exchange ./jobs/formats/...

# Libraries that list the instants of cron expressions, from the Python package index.
SCHEDULES := $(TOOLS)/schedules-1

.PHONY: test-schedules
test-schedules: $(SCHEDULES) ## compare the times of schedules with croniter and cronsim, in all time zones (installs them with pip)
	PYTHONPATH=$(SCHEDULES) PYTHONDONTWRITEBYTECODE=1 $(GO) test -count=1 -timeout 60m -tags schedules -run Oracle ./schedule

.PHONY: test-shells
test-shells: ## test shell completion in fish and zsh too (installs them with apt-get)
	@{ command -v fish && command -v zsh; } >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends fish zsh; }
	$(GO) test -tags shells -run 'Completes$$' ./integration

.PHONY: tools
tools: ## install the S3 server that the tests start
	$(GO) run ./store/s3/s3test/install

.PHONY: test-stores
test-stores: ## run drivers and jobs on minio, rclone, fake-gcs-server, Azurite and, if it can be installed, Ceph (needs npm and node)
	$(GO) run ./store/storetest/install
	@command -v radosgw >/dev/null || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends radosgw ceph-mon ceph-osd ceph-common; } || true
	@tags=stores; \
	if command -v radosgw >/dev/null; then tags=stores,ceph; \
	else echo "Ceph is left out: apt-get install radosgw ceph-mon ceph-osd ceph-common installs it" >&2; fi; \
	$(GO) test -count=1 $(RACE) -tags $$tags -timeout 20m -run 'Server|Store' ./store/gcs ./store/azure ./store/s3 ./cmd/windrow

.PHONY: test-image
test-image: tools ## build the container image, and break clusters of its containers (as root; installs Docker with apt-get)
	@missing=; command -v dockerd >/dev/null || missing=docker.io; command -v debootstrap >/dev/null || missing="$$missing debootstrap"; \
	test -z "$$missing" || { apt-get update -qq && apt-get install -y -qq --no-install-recommends $$missing; }
	$(GO) test -count=1 -tags image -timeout 40m -v ./integration/image

.PHONY: test-manifests
test-manifests: ## check the manifests with an API server of Kubernetes, which it builds (installs etcd with apt-get)
	@command -v etcd >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends etcd-server; }
	$(GO) test -count=1 -tags image -timeout 60m -v ./integration/image/manifests

.PHONY: lint
lint: $(LINT) ## check style, layers and formatting
	$(GO) vet -tags stores,ceph,shells,faults,image,formats,schedules ./...
	$(GO) vet -tags failpoint ./cmd/windrow
	$(LINT) run --build-tags stores,ceph,shells,faults,image,formats,schedules

$(LINT):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv $(TOOLS)/golangci-lint $(LINT)

.PHONY: verify
verify: lint ## lint, and check go.mod, generated files and formatting
	$(GO) mod tidy -diff
	$(GO) mod verify
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }

.PHONY: api
api: ## write api/next.txt, which lists the Go API
	$(GO) test -count=1 ./api -run TestAPI -update

.PHONY: fuzz
fuzz: ## run every fuzz target for T (make fuzz T=30s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go | cut -d' ' -f2); do \
			echo "== $$dir $$target"; $(GO) test $$dir -run '^$$' -fuzz "^$$target\$$" -fuzztime $(T); \
		done; \
	done

# Inputs of the benchmarks: small, medium or full; runs of each program.
SIZE      ?= medium
RUNS      ?= 5
# DuckDB's command, from the Python package index: Debian and the Go proxy have none.
DUCKDB    := $(TOOLS)/duckdb-1.5.6
BENCHSTAT := $(TOOLS)/benchstat-v0.0.0-20260908200009-22c9c6c9d4da
# Packages whose benchmarks are compared between versions, and the flags for them.
# Benchmarks that exist for comparison within one run, such as SortFunc, are left out.
BENCHED   := ./shuffle/... ./jobs/codec ./jobs/internal/... ./jobs/library/... ./store/checksum ./store/relay ./master/scheduler
COMPARED  := -run '^$$' -bench . -skip '//SortFunc|/by_hand|/frames' -count 6 -benchtime 200ms -p 1

.PHONY: bench
bench: ## print the cost of jobs as ratios to programs written by hand (see bench/README.md), and of tasks on a master
	$(GO) run ./bench -size $(SIZE) -runs $(RUNS)
	$(GO) test -run '^$$' -bench Step -benchtime 5x ./master/scheduler
	$(GO) test -count=1 -v ./integration/scale -run TestScale -workers 1000 -tasks 100000

.PHONY: bench-peers
bench-peers: $(DUCKDB) ## print the cost of jobs beside DuckDB and GNU sort too (installs DuckDB with pip)
	$(GO) run ./bench -size $(SIZE) -runs $(RUNS) -peers -duckdb $(DUCKDB)/duckdb_cli/duckdb

.PHONY: bench-growth
bench-growth: ## print and draw how the cost of jobs grows with data, slots, partitions and objects
	$(GO) run ./bench/growth -size $(SIZE) -plots out/growth

.PHONY: bench-publish
bench-publish: $(DUCKDB) ## measure all at full size, into docs/benchmarks.md: two hours of a machine that does nothing else
	@failed=; \
	$(GO) run ./bench -size full -runs 5 -timeout 4h -peers -duckdb $(DUCKDB)/duckdb_cli/duckdb -doc docs/benchmarks.md || failed=1; \
	$(GO) run ./bench/growth -size full -runs 3 -doc docs/benchmarks.md -plots docs/benchmarks || failed=1; \
	{ $(GO) test -run '^$$' -bench Step -benchtime 5x ./master/scheduler; \
		$(GO) test -count=1 -v ./integration/scale -run TestScale -workers 1000 -tasks 100000; } | \
		grep -E '^Benchmark|workers,.* a task' | $(GO) run ./bench/keep docs/benchmarks.md control || failed=1; \
	test -z "$$failed"

.PHONY: bench-once
bench-once: tools ## run every Go benchmark once: does it still work?
	$(GO) test -run '^$$' -bench . -benchtime 1x $$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u)

.PHONY: bench-baseline
bench-baseline: ## measure the baseline of bench-compare, into bench/baseline.txt
	@mkdir -p out
	$(GO) test $(COMPARED) $(BENCHED) | tee out/baseline.txt
	$(GO) run ./bench -runs 6 -cluster=false -format benchstat | tee -a out/baseline.txt
	mv out/baseline.txt bench/baseline.txt

.PHONY: bench-compare
bench-compare: $(BENCHSTAT) ## compare this version with bench/baseline.txt; figures of two machines say nothing
	@mkdir -p out
	$(GO) test $(COMPARED) $(BENCHED) | tee out/compared.txt
	$(GO) run ./bench -runs 6 -cluster=false -format benchstat | tee -a out/compared.txt
	$(BENCHSTAT) -ignore commit bench/baseline.txt out/compared.txt

$(DUCKDB):
	python3 -m pip install --quiet --no-deps --only-binary :all: --target $@.new duckdb-cli==1.5.6
	mv $@.new $@

$(FORMATS):
	python3 -m pip install --quiet --no-deps --only-binary :all: --target $@.new \
		duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0 polars-runtime-32==2.1.0 fastavro==1.13.1 cramjam==2.14.0 backports.zstd==1.8.0
	mv $@.new $@

$(SCHEDULES):
	python3 -m pip install --quiet --no-deps --only-binary :all: --target $@.new croniter==7.0.0 cronsim==2.8
	mv $@.new $@

$(BENCHSTAT):
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) install golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
	mv $(TOOLS)/benchstat $(BENCHSTAT)

.PHONY: docker
docker: ## build the container image windrow, which holds only the binary
	DOCKER_BUILDKIT=1 docker build -t windrow .

.PHONY: clean
clean: ## remove what the targets made here
	rm -rf bin out .tools
