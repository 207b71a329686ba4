# Shortcuts for contributors. CONTRIBUTING.md says what each is for; make is not needed for the tests.

MODULES := $(sort $(dir $(shell git ls-files --cached --others --exclude-standard '*go.mod')))
EACH = for m in $(MODULES); do (cd $$m && echo "[$$m]" && $(1)) || exit 1; done

.PHONY: fmt lint vuln licences api release-check test fuzz golden mutants soak infrastructure production-test bench screenshots

fmt:
	gofmt -w $(shell git ls-files --cached --others --exclude-standard '*.go')

lint vuln licences api release-check:  ## one step of the test command
	go run ./internal/alltests $@

test:
	$(call EACH,go test -race ./...)

fuzz:  ## ten minutes of the media scanner
	go test -run='^$$' -fuzz=FuzzScan -fuzztime=10m -fuzzminimizetime=10x ./internal/jsonmedia

golden:  ## write the golden files after a change that was meant
	go test -run=Golden . -update

mutants:  ## break the SDK on purpose, and list what no test noticed
	go run ./internal/mutants

soak:  ## a million launches with faults and rotations
	go run ./internal/soak

infrastructure:  ## Redis as a cluster, under Sentinel and behind proxies, while servers are killed and stopped: four minutes
	cd redisstore && go test -count=1 -timeout 60m -parallel 4 -v -run 'Scenarios|Thousand' . -infrastructure 3

production-test:  ## examples/production on a bad day of five minutes: three replicas, real PostgreSQL and Redis
	cd examples/production && go test -count=1 -timeout=20m -run=Fleet -v . -long

bench:  ## every target of docs/benchmarks.md, in three minutes
	cd bench && go run .

screenshots:  ## the pictures of README.md; needs Chromium and a Chinese font (Debian: chromium fonts-noto-cjk)
	cd browsertest && go test -count=1 -run Screenshots . -screenshots $(CURDIR)/docs/screenshots
