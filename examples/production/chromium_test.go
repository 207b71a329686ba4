//go:build unix

package main

// One check in a real Chromium with a fake camera, on the sandbox, at the size of a phone.

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var pictures = flag.String("pictures", "", "write pictures of the pages into this directory")

func TestChromium_GoesFromTheTapToThePass(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	t.Parallel()
	ctx := newPhone(t)
	s := newSite(t, map[string]string{}, nil)
	s.ready()

	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		require.NoError(t, chromedp.Do(ctx, actions...))
	}
	until := func(expression string) { // also across page loads
		t.Helper()
		for {
			ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
			if err == nil && ok {
				return
			}
			if err := chromedp.Do(ctx, chromedp.Sleep(50*time.Millisecond)); err != nil {
				text, _ := chromedp.Run(context.WithoutCancel(ctx), chromedp.Evaluate[string]("document.body.innerText"))
				require.NoError(t, err, "never true: %s\n%s", expression, text)
			}
		}
	}
	shows := func(name string) {
		t.Helper()
		fits, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.documentElement.scrollWidth <= innerWidth"))
		require.NoError(t, err)
		assert.True(t, fits, "%s is as wide as the screen", name)
		if *pictures != "" {
			picture, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(*pictures, name+".png"), picture.Data, 0o600))
		}
	}

	do(chromedp.Navigate(s.url + "/liveness/L1"))
	shows("unknown")
	do(chromedp.Navigate(s.url + "/"))
	until(`document.body.innerText.includes("模拟")`)
	shows("start")
	do(chromedp.Click(chromedp.CSS("form button")))
	until(`document.querySelector("#report") && document.readyState == "complete"`)
	do(chromedp.Click(chromedp.CSS("#go")))
	until(`document.querySelector("main").dataset.state == "camera"`)
	do(chromedp.Click(chromedp.CSS("#go")))
	until(`document.querySelector("main.wait, main.good")`)
	shows("returned")
	until(`document.querySelector("main.good") && document.body.innerText.includes("验证通过") && document.body.innerText.includes("模拟")`)
	shows("passed")
}

// newPhone starts a browser whose camera is fake and allowed.
func newPhone(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no chromium: apt-get install chromium")
		}
		t.Skip("there is no chromium: apt-get install chromium")
	}
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck}
	for _, name := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update", "disable-sync",
		"disable-dev-shm-usage", "mute-audio", "hide-scrollbars", "use-fake-device-for-media-stream", "use-fake-ui-for-media-stream",
	} {
		opts = append(opts, chromedp.Flag(name, true))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: 390, Height: 844, DeviceScaleFactor: 1, Mobile: true,
	})
	require.NoError(t, err)
	return ctx
}
