// Package browsertest drives a real headless Chromium with a fake camera through the web demo of examples/webdemo and
// the platform's page of livetest. It has tests only, in a module of its own because of its dependencies.
//
//	cd browsertest && go test -race ./...    # Debian: apt-get install chromium
//	make screenshots                         # and fonts-noto-cjk
package browsertest
