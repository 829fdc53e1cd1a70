# Panpipe. `make demo` shows the main job, `make test` proves it; both need Go alone.

GO      ?= go
.DEFAULT_GOAL := build
BIN     := bin
N       ?= 100
JOBS    ?= 2
FUZZTIME ?= 30s
RUNS    ?= 1000
SEED    ?= 1
LDFLAGS := -s -w
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TOOL    := $(GO) tool -modfile=.ci/tools/go.mod

.PHONY: help build demo test test-full race cross lint fuzz proto proto-check bench-overlay bench-node bench-link bench-gateway bench-session chaos clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

build: ## the one binary, stripped, in bin/
	$(GO) build -ldflags '$(LDFLAGS) -X main.version=$(VERSION)' -o $(BIN)/panpipe ./cmd/panpipe

demo: build ## eight nodes on loopback, every step verified, nothing left behind
	$(BIN)/panpipe demo $(ARGS)

test: ## all that needs nothing but Go and no root
	$(GO) vet -tags figures,full ./...
	$(GO) test -timeout 12m ./...

test-full: race cross lint proto-check ## what needs foreign parts; installs what is missing
	.ci/full

race: ## the packages where goroutines meet, under the race detector
	$(GO) test -race -short -timeout 20m ./protocols/... ./discovery/... ./session/... ./node/...

cross: ## macOS and Windows still build
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./...
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null ./...

lint: ## gofmt, vet and a short list of linters; the tool has a module file of its own
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not gofmt-ed'; exit 1; }
	$(TOOL) golangci-lint run ./...

fuzz: ## every fuzz target for FUZZTIME each
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target"; \
	    out=$$($(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg 2>&1) && ok=1 || ok=; \
	    echo "$$out"; \
	    case "$$ok$$out" in \
	      1*) ;; \
	      *"Failing input"*) exit 1 ;; \
	      *"    context deadline exceeded"*) echo "the end of the time, which go test takes for a failure: golang/go#75804" ;; \
	      *) exit 1 ;; \
	    esac; \
	  done; \
	done

chaos: ## RUNS random schedules of faults against links, from SEED on, JOBS at a time; V=1 traces a single run
	$(GO) test -c -o $(BIN)/chaos.test ./protocols/link
	RUNS=$(RUNS) SEED=$(SEED) JOBS=$(JOBS) $(BIN)/chaos.test -test.run '^TestChaos$$' -test.timeout 3h $(if $(V),-test.v)

proto: ## regenerate the protobuf code (needs protoc)
	.ci/proto

proto-check: ## the committed protobuf code is what the .proto files say
	.ci/proto --check

bench-overlay: ## every figure of the binding protocol with N nodes in virtual time; PART=… for some, JOBS worlds at once
	$(GO) test -c -tags figures -o $(BIN)/figures.test ./integration
	N=$(N) PART=$(PART) JOBS=$(JOBS) JSON=$(abspath $(JSON)) $(BIN)/figures.test -test.run '^TestOverlayFigures$$' -test.timeout 3h

bench-node: ## start to ready, memory, --help, cached resolve
	$(GO) test -c -tags figures -o $(BIN)/figures.test ./integration
	JSON=$(abspath $(JSON)) $(BIN)/figures.test -test.run '^TestNodeFigures$$' -test.timeout 15m

bench-link: ## links beside raw libp2p streams, on loopback and at 50 ms; PART=… for some
	$(GO) test -c -tags figures -o $(BIN)/figures.test ./integration
	PART=$(PART) JSON=$(abspath $(JSON)) $(BIN)/figures.test -test.run '^TestLinkFigures$$' -test.timeout 1h

bench-gateway: build ## the gateway beside raw TCP, copying proxies and ssh -L; PART=… for some, FORWARDER=host:port for a foreign one
	.ci/need ssh openssh-client
	.ci/need sshd openssh-server
	$(GO) test -c -tags figures -o $(BIN)/figures.test ./integration
	PART=$(PART) FORWARDER=$(FORWARDER) SERVICE=$(SERVICE) JSON=$(abspath $(JSON)) PANPIPE_BIN=$(abspath $(BIN))/panpipe $(BIN)/figures.test -test.run '^TestGatewayFigures$$' -test.timeout 1h

bench-session: ## people: messages, presence, 1,000 buddies in virtual time; journals on disk; PART=… for some
	$(GO) test -c -tags figures -o $(BIN)/figures.test ./integration
	PART=$(PART) JSON=$(abspath $(JSON)) $(BIN)/figures.test -test.run '^TestSessionFigures$$' -test.timeout 1h

clean:
	rm -rf $(BIN)
