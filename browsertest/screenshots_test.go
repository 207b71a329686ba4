package browsertest

// The pictures of the four pages, with a drawn person in front of the camera.

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drawing is the person: %[1]v moves the head, %[2]v opens the eyes and %[3]v the mouth.
const drawing = `<!DOCTYPE html><style>body{margin:0}</style>
<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480" viewBox="0 0 640 480">
<defs><linearGradient id="wall" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#dcc9ad"/><stop offset="1" stop-color="#a3b8c9"/></linearGradient>
<radialGradient id="skin" cx=".45" cy=".4" r=".7"><stop offset="0" stop-color="#f7d3b5"/><stop offset="1" stop-color="#e3ae88"/></radialGradient></defs>
<rect width="640" height="480" fill="url(#wall)"/>
<rect x="40" y="60" width="120" height="150" rx="6" fill="#b9cfd6"/><path d="M40 180l40-50 30 30 25-28 25 40v38H40z" fill="#8fb0a3"/>
<path d="M500 480V260q0-12 12-12h70q12 0 12 12v220z" fill="#8a6f5a" opacity=".35"/>
<path d="M150 480c6-84 76-122 170-122s164 38 170 122z" fill="#2f6f73"/>
<path d="M278 330h84v48c-22 26-62 26-84 0z" fill="#d99f79"/>
<g transform="translate(%[1]v 0)">
<path d="M206 210c-6-110 46-160 114-160s122 50 116 162c-2 44-6 78-12 104q-4 22-26 22h-156q-22 0-26-22c-6-26-9-62-10-106z" fill="#33241f"/>
<ellipse cx="320" cy="222" rx="88" ry="112" fill="url(#skin)"/>
<path d="M232 196c4-72 40-108 92-108s84 34 86 104c-30-8-52-26-66-54-18 32-58 50-112 58z" fill="#33241f"/>
<path d="M264 196q20-12 38-2M338 194q20-10 38 2" stroke="#4a342b" stroke-width="6" fill="none" stroke-linecap="round"/>
<ellipse cx="284" cy="220" rx="9" ry="%[2]v" fill="#2b1d18"/><ellipse cx="356" cy="220" rx="9" ry="%[2]v" fill="#2b1d18"/>
<path d="M320 226q-10 30-6 36 8 6 16 2" stroke="#c98f6b" stroke-width="4" fill="none" stroke-linecap="round"/>
<path d="M292 284q28 %[3]v 56 0q-28 12-56 0z" fill="#a8443f" stroke="#b5534d" stroke-width="7" stroke-linejoin="round"/>
<ellipse cx="262" cy="262" rx="18" ry="11" fill="#eba58a" opacity=".6"/><ellipse cx="378" cy="262" rx="18" ry="11" fill="#eba58a" opacity=".6"/>
</g></svg>`

// drawPerson writes a film of a person who speaks, as Chromium's fake camera reads it: JPEG pictures in a row.
func drawPerson(t *testing.T, film string) {
	t.Helper()
	ctx, cancel := chromedp.NewContext(granting.start(t), chromedp.WithNewBrowserContext())
	defer cancel()
	require.NoError(t, chromedp.Do(ctx))
	_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 640, Height: 480, DeviceScaleFactor: 1})
	require.NoError(t, err)
	var frames []byte
	for i := range 24 {
		sway, eyes, mouth := []int{0, 2, 4, 5, 4, 2, 0, -2, -4, -5, -4, -2}[i%12], 11, []int{20, 34, 46, 34, 20, 28}[i%6]
		if i == 15 {
			eyes = 2
		}
		frame := "data:text/html," + url.PathEscape(fmt.Sprintf(drawing, sway, eyes, mouth))
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(frame)))
		quality := int64(90)
		shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
			Format: page.CaptureScreenshotFormatJpeg, Quality: &quality,
		})
		require.NoError(t, err)
		frames = append(frames, shot.Data...)
	}
	require.NoError(t, os.WriteFile(film, frames, 0o600))
}

func TestScreenshots_OfTheFourPages(t *testing.T) {
	t.Parallel()
	if *screenshots == "" {
		t.Skip("taken with -screenshots DIR")
	}
	film := filepath.Join(t.TempDir(), "person.mjpeg")
	drawPerson(t, film)
	camera := &chromium{flags: append([]string{"use-file-for-fake-video-capture=" + film}, granting.flags...)}
	t.Cleanup(camera.close)
	d := newDemo(t, nil)
	sharp := phone
	sharp.scale = 2
	p := newPerson(t, d, camera, sharp)

	p.open(d.url)
	p.save("start")
	p.click("#start button")
	p.until(`document.querySelector("#report")`)
	p.record()
	p.until(`document.querySelectorAll("#digits b")[2].classList.contains("now")`)
	p.save("camera")
	p.becomes("passed")
	p.seesEvidence()
	p.until("performance.now() > 7000") // the controls of the video have hidden themselves
	p.save("passed")

	p.launch()
	p.choose("-5013")
	p.becomes("not_passed")
	p.save("notpassed")
}

// save writes what the person sees, in a format that keeps the repository small.
func (p *tab) save(name string) {
	p.t.Helper()
	quality := int64(90)
	shot := call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
	assert.Less(p.t, len(shot.Data), 120<<10, name)
	require.NoError(p.t, os.MkdirAll(*screenshots, 0o755))
	require.NoError(p.t, os.WriteFile(filepath.Join(*screenshots, name+".webp"), shot.Data, 0o644))
}
