package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun_ReplicasShareWhatTheServiceMinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, `replica 1 launched order A0; access tokens minted so far: 1
replica 2 launched order A1; access tokens minted so far: 1
replica 3 launched order A2; access tokens minted so far: 1
a process that nobody knows of mints for itself; a minute later the old token is dead
replica 1 launched order B0; access tokens minted so far: 2
replica 2 launched order B1; access tokens minted so far: 2
replica 3 launched order B2; access tokens minted so far: 2
`, out.String())
}
