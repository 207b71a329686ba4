package browsertest

// Chromium: one process for each way it treats the camera, shared by all tests; every test has its own cookies.

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var screenshots = flag.String("screenshots", "", "write screenshots of the pages into this directory")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	granting.close()
	refusing.close()
	os.Exit(code)
}

// chromium is one process, started by the first test that needs it.
type chromium struct {
	flags []string
	once  sync.Once
	ctx   context.Context
	stop  func()
	err   error
}

var (
	granting = &chromium{flags: []string{"use-fake-device-for-media-stream", "use-fake-ui-for-media-stream"}}
	refusing = &chromium{flags: []string{"use-fake-device-for-media-stream"}} // asks nobody: a test refuses for the person
)

// start returns the context of the browser. Without Chromium a test is left out, except in CI.
func (c *chromium) start(t *testing.T) context.Context {
	t.Helper()
	path := findChromium()
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no chromium: apt-get install chromium")
		}
		t.Skip("there is no chromium: apt-get install chromium")
	}
	c.once.Do(func() { c.launch(path) })
	require.NoError(t, c.err)
	return c.ctx
}

func (c *chromium) launch(path string) {
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck}
	for _, name := range append([]string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "disable-background-networking", "disable-component-update",
		"disable-sync", "disable-dev-shm-usage", "mute-audio", "hide-scrollbars", "disable-extensions",
		// Tabs in the background of others must not sleep, nor wait to play.
		"disable-background-timer-throttling", "disable-backgrounding-occluded-windows", "disable-renderer-backgrounding",
		"lang=zh-CN", "autoplay-policy=document-user-activation-required",
	}, c.flags...) {
		if name, value, ok := strings.Cut(name, "="); ok {
			opts = append(opts, chromedp.Flag(name, value))
		} else {
			opts = append(opts, chromedp.Flag(name, true))
		}
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, stop := chromedp.NewContext(allocator)
	c.ctx, c.stop = ctx, func() {
		stop()
		stopAllocator()
	}
	c.err = chromedp.Do(ctx)
}

func (c *chromium) close() {
	if c.stop != nil {
		c.stop()
	}
}

func findChromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
