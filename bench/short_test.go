//go:build !race

package main

// The whole program. The race detector makes it so slow that downloads time out.

import (
	"bytes"
	"strings"
	"testing"
)

// TestRun_HasARowOfEveryPart does not look at the figures: measured beside other tests, they are worth nothing.
func TestRun_HasARowOfEveryPart(t *testing.T) { //nolint:paralleltest // measures time
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	var out bytes.Buffer
	if err := run(&out, true, ""); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Signing", "Nonce", "Credential read", "Base64 alone", "Building a URL", "Upstream calls", "Connections",
		"Cold credential", "Media, 5 MB", "Base64 with", "Result without media", "Watched result", "Peak RSS", "Load, 50"} {
		if !strings.Contains(out.String(), "| "+part) {
			t.Errorf("the table has no row %q", part)
		}
	}
}
