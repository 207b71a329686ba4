package browsertest

// The person: a shop, a platform, and tabs in which everything that must not happen is written down.

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/examples/webdemo/shop"
	"github.com/webanklive/webanklive/livetest"
)

// patience bounds every wait of a test.
const patience = 45 * time.Second

// demo is a shop with a platform. They are different sites, as in real life: localhost and 127.0.0.1.
type demo struct {
	*livetest.Server
	url string
}

func newDemo(t *testing.T, change func(*shop.Config)) *demo {
	t.Helper()
	d := &demo{Server: livetest.NewServer(t)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	d.url = "http://localhost:" + port
	c, err := webanklive.NewClient(d.AppID(), d.Secret(), webanklive.WithBaseURLs(d.APIURL, d.H5URL))
	require.NoError(t, err)
	cfg := shop.Config{Client: c, PublicURL: d.url, H5URL: d.H5URL, Fake: true}
	if change != nil {
		change(&cfg)
	}
	s, err := shop.New(cfg)
	require.NoError(t, err)
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go server.Serve(listener)
	t.Cleanup(func() {
		server.Close()
		s.Close()
	})
	return d
}

// screen is what a person holds or sits at.
type screen struct {
	name          string
	width, height int64
	mobile        bool
	scale         float64
	agent         string
}

var (
	phone = screen{
		"phone", 390, 844, true, 1,
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
	}
	desktop = screen{
		"desktop", 1280, 800, false, 1,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
	}
)

// tab is one tab of a browser in which the person visits d.
type tab struct {
	t      *testing.T
	d      *demo
	ctx    context.Context
	screen screen

	mu   sync.Mutex // guards what watch writes
	bad  []string   // console errors and requests to other hosts
	docs []string   // addresses of the documents that were asked for
}

// newPerson opens a browser that knows nothing yet. At the end of the test its console must be clean but for texts that
// contain one of expected.
func newPerson(t *testing.T, d *demo, c *chromium, s screen, expected ...string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(c.start(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	return newTab(t, d, ctx, s, expected...)
}

// visit is a new person with a camera at a shop of their own.
func visit(t *testing.T, s screen, expected ...string) (*demo, *tab) {
	t.Helper()
	d := newDemo(t, nil)
	return d, newPerson(t, d, granting, s, expected...)
}

// another opens one more tab of the same browser.
func (p *tab) another(s screen) *tab {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	return newTab(p.t, p.d, ctx, s)
}

func newTab(t *testing.T, d *demo, ctx context.Context, s screen, expected ...string) *tab {
	t.Helper()
	p := &tab{t: t, d: d, ctx: ctx, screen: s}
	require.NoError(t, chromedp.Do(ctx)) // the tab must not die with the deadline of its first action
	require.NoError(t, chromedp.Listen(ctx, p.watch))
	call(p, log.Enable, cdp.Empty{})
	call(p, network.Enable, network.EnableParams{})
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: s.width, Height: s.height, DeviceScaleFactor: s.scale, Mobile: s.mobile,
	})
	call(p, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: s.agent})
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, text := range p.bad {
			known := slices.ContainsFunc(expected, func(e string) bool { return strings.Contains(text, e) })
			assert.True(t, known, "the browser complains: %s", text)
		}
	})
	return p
}

// watch writes down console errors, and where requests go.
func (p *tab) watch(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.bad = append(p.bad, fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			p.bad = append(p.bad, fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.bad = append(p.bad, fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			p.docs = append(p.docs, e.Request.URL)
		}
		u, err := url.Parse(e.Request.URL)
		ours := err == nil && (u.Scheme == "data" || u.Scheme == "blob" || strings.HasPrefix(e.Request.URL, p.d.url) ||
			strings.HasPrefix(e.Request.URL, p.d.H5URL+"/"))
		if !ours {
			p.bad = append(p.bad, "request to another host: "+e.Request.URL)
		}
	}
}

// callbacks returns the addresses that the platform sent this tab back to.
func (p *tab) callbacks() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []string
	for _, address := range p.docs {
		if strings.HasPrefix(address, p.d.url) && strings.Contains(address, "/done?") {
			found = append(found, address)
		}
	}
	return found
}

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		require.NoError(p.t, err, p.describe())
	}
}

// call sends a command of the DevTools protocol.
func call[P, R any](p *tab, cmd cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	res, err := chromedp.Call(ctx, cmd, params)
	require.NoError(p.t, err)
	return res
}

// eval returns what a JavaScript expression is.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		require.NoError(p.t, err, p.describe())
	}
	return value
}

// until waits for a JavaScript expression to become true, also across page loads.
func (p *tab) until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		// An error is a page that is going away: look again.
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if err == nil && ok {
			return
		}
		if chromedp.Do(ctx, chromedp.Sleep(50*time.Millisecond)) != nil {
			require.Fail(p.t, "never true: "+expression, "%v\n%s", err, p.describe())
		}
	}
}

// describe is for the message of a failed test.
func (p *tab) describe() string {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	where, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	return "on " + where + ":\n" + text
}

func (p *tab) text() string { p.t.Helper(); return eval[string](p, "document.body.innerText") }

func (p *tab) open(address string) { p.t.Helper(); p.do(chromedp.Navigate(address)) }

func (p *tab) click(selector string) { p.t.Helper(); p.do(chromedp.Click(chromedp.CSS(selector))) }

// launch goes from the shop's start page to the platform's.
func (p *tab) launch() {
	p.t.Helper()
	p.open(p.d.url)
	p.click("#start button")
	p.seesThePlatform()
}

// seesThePlatform waits for the platform's page.
func (p *tab) seesThePlatform() {
	p.t.Helper()
	p.until(`document.querySelector("#report") && document.readyState == "complete"`)
}

// record goes through the platform's page with the camera.
func (p *tab) record() {
	p.t.Helper()
	p.click("#go")
	p.until(`document.querySelector("main").dataset.state == "camera"`)
	p.click("#go")
}

// choose reports an outcome on the fake's control strip.
func (p *tab) choose(code string) {
	p.t.Helper()
	p.click("summary")
	p.do(chromedp.SetValue(chromedp.CSS("#outcome"), code))
	p.click("#report button")
}

// becomes waits until the shop's page shows an order at a stage.
func (p *tab) becomes(stage string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector("#order[data-stage=%s]") && document.readyState == "complete"`, stage))
}

// launchedOrder returns the order number of the newest link that was opened.
func (p *tab) launchedOrder() string {
	p.t.Helper()
	opened := p.d.Requests(livetest.LiveLogin)
	require.NotEmpty(p.t, opened)
	return opened[len(opened)-1].Query.Get("orderNo")
}

// order returns the number on the shop's page.
func (p *tab) order() string {
	p.t.Helper()
	return eval[string](p, `document.querySelector("#order").dataset.number`)
}

// neverPassed asserts that the page in front of the person does not say so.
func (p *tab) neverPassed() {
	p.t.Helper()
	assert.NotContains(p.t, eval[string](p, `document.documentElement.outerHTML`), "验证通过")
	assert.False(p.t, eval[bool](p, `document.querySelector("[data-stage=passed]") !== null`))
}

// seesEvidence waits for the photo, and for the video to play.
func (p *tab) seesEvidence() {
	p.t.Helper()
	p.until(`document.querySelector(".evidence img")?.naturalWidth > 100`)
	p.until(`document.querySelector(".evidence video")?.videoWidth > 100`)
	p.until(`(v => v && !v.paused && v.currentTime > 0.2)(document.querySelector(".evidence video"))`)
	p.until(`(() => {
		const v = document.querySelector(".evidence video");
		const moved = window.before !== undefined && v.currentTime !== window.before;
		window.before = v.currentTime;
		return moved;
	})()`)
}
