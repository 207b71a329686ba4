//go:build !race

package main

// The whole program. The race detector makes it so slow that downloads time out.

import (
	"bytes"
	"strings"
	"testing"
)

// TestShortRun does not look at the figures: measured beside other tests, they are worth nothing.
func TestShortRun(t *testing.T) { //nolint:paralleltest // measures time
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	var out bytes.Buffer
	if err := run(t.Context(), &out, true, ""); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Signing", "Nonce", "Credential read", "Base64 alone", "Building a URL", "Connections", "Media, 5 MB",
		"Result without media", "Peak RSS", "Load, 50"} {
		if !strings.Contains(out.String(), "| "+part) {
			t.Errorf("the table has no row %q", part)
		}
	}
}
