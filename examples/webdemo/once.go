package main

// The demonstration without a browser: people who play one over HTTP, with a cookie jar and what they read on the pages.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/webanklive/webanklive/livetest"
)

// playBrowsers shows the flow and the attacks on it. It fails when a page says what it must not.
func playBrowsers(ctx context.Context, out io.Writer, d *demo) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	say("A shop and a fake of the platform run in this process. These browsers visit the shop:\n")

	ann := newBrowser(d)
	order, back, err := ann.check(ctx, livetest.Passing())
	if err != nil {
		return err
	}
	say("Ann    sends the start form twice: one launch, one link (order %s)", order)
	if err := ann.comesBack(ctx, back, order, "passed"); err != nil {
		return err
	}
	say("Ann    came back: %s", ann.heading)
	if err := ann.waitsFor(ctx, order, `data-evidence="here"`); err != nil {
		return err
	}
	for name, want := range map[string][]byte{"photo": livetest.SamplePhoto(), "video": livetest.SampleVideo()} {
		if _, content, err := ann.get(ctx, d.url+"/liveness/"+order+"/"+name); err != nil || !bytes.Equal([]byte(content), want) {
			return fmt.Errorf("the %s is not what the camera took: %w", name, err)
		}
	}
	say("Ann    sees her photo and video, byte for byte")
	if err := ann.comesBack(ctx, back, order, "passed"); err != nil {
		return err
	}
	say("Ann    reloads the callback: nothing changes")

	ben := newBrowser(d)
	order, back, err = ben.check(ctx, livetest.Failing("-5016"))
	if err != nil {
		return err
	}
	tampered := strings.Replace(back, "code=-5016", "code=0", 1)
	if status, page, err := ben.get(ctx, tampered); err != nil || status != http.StatusBadRequest || passes(page) {
		return fmt.Errorf("a tampered callback was taken: HTTP %d, %w", status, err)
	}
	say("Ben    rewrites the callback into a passed one: refused")
	if err := ben.comesBack(ctx, back, order, "not_passed"); err != nil {
		return err
	}
	say("Ben    comes back with the true one: %s", ben.heading)
	if status, page, err := newBrowser(d).get(ctx, back); err != nil || status != http.StatusNotFound || passes(page) {
		return fmt.Errorf("a foreign callback was taken: HTTP %d, %w", status, err)
	}
	say("Ben    sends the callback to another browser: it has no such check")

	cai := newBrowser(d)
	if order, back, err = cai.check(ctx, livetest.WithoutRecorder()); err == nil {
		err = cai.comesBack(ctx, back, order, "other_way")
	}
	if err != nil {
		return err
	}
	say("Cai    has a browser that cannot record: %s", cai.heading)

	dee := newBrowser(d)
	order, _, err = dee.check(ctx, livetest.Quitting())
	if err != nil {
		return err
	}
	if _, page, err := dee.get(ctx, d.url+"/liveness/"+order); err != nil || stageOf(page) != "launched" {
		return fmt.Errorf("an order that nobody finished is %q: %w", stageOf(page), err)
	}
	say("Dee    closes the platform's page half-way: the order waits, nothing is decided")

	refusals := slices.DeleteFunc(d.platform.Refusals(), func(refusal string) bool {
		return strings.Contains(refusal, "66660011") // no result, as it should be: the shop asked what became of Cai
	})
	if len(refusals) > 0 {
		return fmt.Errorf("the platform refused something: %s", strings.Join(refusals, "; "))
	}
	say("\nThe platform had nothing to refuse. It saw %d launches of 4 people.", d.platform.Calls(livetest.NonceTicket))
	return nil
}

// browser is one person's: cookies, and what the last page said.
type browser struct {
	demo    *demo
	client  *http.Client
	heading string
}

func newBrowser(d *demo) *browser {
	jar, _ := cookiejar.New(nil) // never fails
	return &browser{demo: d, client: &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if req.URL.Host != strings.TrimPrefix(d.url, "http://") {
			return http.ErrUseLastResponse // to the platform: its page needs a person
		}
		return nil
	}}}
}

var (
	tokenField  = regexp.MustCompile(`name="token" value="([^"]+)"`)
	stageField  = regexp.MustCompile(`data-stage="([^"]+)"`)
	headingText = regexp.MustCompile(`<h1>([^<]+?) <span lang="en">([^<]+)</span></h1>`)
)

func stageOf(page string) string {
	if m := stageField.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

func passes(page string) bool {
	return stageOf(page) == "passed" || strings.Contains(page, "验证通过")
}

// check starts with a double click and lets person go through the platform's page.
func (b *browser) check(ctx context.Context, person livetest.Person) (order, back string, err error) {
	_, page, err := b.get(ctx, b.demo.url+"/")
	if err != nil {
		return "", "", err
	}
	token := tokenField.FindStringSubmatch(page)
	if token == nil {
		return "", "", errors.New("the start page has no form")
	}
	var links [2]string
	for i := range links {
		if links[i], err = b.start(ctx, token[1]); err != nil {
			return "", "", err
		}
	}
	link, err := url.Parse(links[0])
	if err != nil || links[0] != links[1] {
		return "", "", errors.New("two clicks made two links")
	}
	back, err = b.demo.platform.Visit(ctx, links[0], person)
	return link.Query().Get("orderNo"), back, err
}

func (b *browser) start(ctx context.Context, token string) (link string, err error) {
	body := strings.NewReader(url.Values{"token": {token}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.demo.url+"/liveness/start", body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		return "", fmt.Errorf("the start form answers HTTP %d", res.StatusCode)
	}
	return res.Header.Get("Location"), nil
}

// comesBack opens the callback and waits on the page behind it for the verdict.
func (b *browser) comesBack(ctx context.Context, back, order, want string) error {
	_, page, err := b.get(ctx, back)
	for err == nil && (stageOf(page) == "returned" || stageOf(page) == "launched") {
		_, page, err = b.again(ctx, order)
	}
	if err != nil {
		return err
	}
	if got := stageOf(page); got != want {
		return fmt.Errorf("the page of order %s says %q instead of %q", order, got, want)
	}
	if m := headingText.FindStringSubmatch(page); m != nil {
		b.heading = m[1] + " / " + m[2]
	}
	return nil
}

// waitsFor looks at a page until text is in it.
func (b *browser) waitsFor(ctx context.Context, order, text string) error {
	for {
		if _, page, err := b.again(ctx, order); err != nil || strings.Contains(page, text) {
			return err
		}
	}
}

// again looks at a page a moment later.
func (b *browser) again(ctx context.Context, order string) (status int, body string, err error) {
	select {
	case <-ctx.Done():
		return 0, "", ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return b.get(ctx, b.demo.url+"/liveness/"+order)
	}
}

func (b *browser) get(ctx context.Context, address string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := b.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}
