package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestProgress_SpeedIsOfTheTimeSinceTheFirstByte(t *testing.T) {
	t.Parallel()
	p := &progress{}
	p.video.Add(3 << 20)
	assert.Equal(t, "photo 0 B  video 3.0 MiB  1.5 MiB/s  1m0s", p.line(time.Minute, 2*time.Second))
}

func TestSize_ReadsLikeASize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 40: "3.0 TiB", 5 << 50: "5120.0 TiB"} {
		assert.Equal(t, want, size(n))
	}
}
