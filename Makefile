# Shortcuts for contributors; each works on every go.mod. The one command that needs no make is `go run ./internal/alltests`.

MODULES := $(sort $(dir $(shell git ls-files --cached --others --exclude-standard '*go.mod')))
LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
EACH = for m in $(MODULES); do (cd $$m && echo "[$$m]" && $(1)) || exit 1; done

.PHONY: all fmt lint test fuzz golden bench screenshots

all:  ## everything that CI runs
	go run ./internal/alltests

fmt:
	gofmt -w $(shell git ls-files --cached --others --exclude-standard '*.go')

lint:
	$(call EACH,$(LINT) run --config $(CURDIR)/.golangci.yml ./...)

test:
	$(call EACH,go test -race ./...)

fuzz:  ## ten minutes of the media scanner
	go test -run='^$$' -fuzz=FuzzScan -fuzztime=10m ./internal/jsonmedia

golden:  ## write the golden files after a change that was meant
	go test . -update

bench:  ## every target of docs/benchmarks.md, in three minutes
	cd bench && go run .

screenshots:  ## the pictures of README.md; needs Chromium and a Chinese font (Debian: chromium fonts-noto-cjk)
	cd browsertest && go test -count=1 -run Screenshots . -screenshots $(CURDIR)/docs/screenshots
