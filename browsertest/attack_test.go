package browsertest

// What must not change the outcome: clicks too many, the buttons of the browser, and addresses made up by hand.

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/examples/webdemo/shop"
	"github.com/webanklive/webanklive/livetest"
)

// The console reports documents that are refused, as it should.
var refusedDocuments = []string{"status of 400", "status of 404", "status of 403"}

func TestStart_DoubleClickIsOneLaunch(t *testing.T) {
	t.Parallel()
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, p := visit(t, desktop, refusedDocuments...)
			p.open(d.url)
			if !scripts {
				call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			}
			p.do(chromedp.DoubleClick(chromedp.CSS("#start button")))
			p.do(chromedp.WaitReady(chromedp.CSS("main.phone")))
			assert.Equal(t, 1, d.Calls(livetest.NonceTicket))
			if scripts {
				p.until(`document.querySelector("#go")`)
				assert.Equal(t, 1, d.Calls(livetest.LiveLogin))
				assert.Empty(t, d.Refusals())
			}
		})
	}
}

func TestCallback_ReloadChangesNothing(t *testing.T) {
	t.Parallel()
	d, p := visit(t, phone)
	p.launch()
	p.record()
	p.becomes("passed")
	p.seesEvidence()
	order, asked := p.order(), d.Calls(livetest.LiveResult)
	p.do(chromedp.Reload())
	p.becomes("passed")
	require.Len(t, p.callbacks(), 1)
	p.open(p.callbacks()[0])
	p.becomes("passed")
	p.seesEvidence()
	assert.Equal(t, order, p.order())
	assert.Equal(t, asked, d.Calls(livetest.LiveResult), "a decided order is not asked for again")
	assert.NotContains(t, eval[string](p, "location.href"), "newSignature", "the address bar shows no signature")
}

func TestStart_BackButtonLeadsToTheCheckUnderWayAndLaterToAnother(t *testing.T) {
	t.Parallel()
	d := newDemo(t, func(c *shop.Config) { c.UnderWay = 8 * time.Second })
	p := newPerson(t, d, granting, phone)
	p.launch()
	first := p.launchedOrder()
	p.do(chromedp.NavigateBack())
	p.until(`document.querySelector("#start button") && !document.querySelector("#start").dataset.sent`)
	p.click("#start button")
	p.becomes("launched")
	assert.Equal(t, first, p.order(), "the check under way, not the used link")
	assert.Equal(t, 1, d.Calls(livetest.LiveLogin))
	p.fitsAndIsAccessible()

	// When the link is dead, another check may begin.
	p.until(`performance.now() > 8000`)
	p.launch()
	assert.NotEqual(t, first, p.launchedOrder(), "an order number is used once")
	p.choose("-5016")
	p.becomes("not_passed")
}

func TestStart_TwoTabsShareTheCheckUnderWay(t *testing.T) {
	t.Parallel()
	d, one := visit(t, desktop)
	one.launch()
	two := one.another(desktop)
	two.open(d.url)
	two.click("#start button")
	two.becomes("launched")
	assert.Equal(t, one.launchedOrder(), two.order())
	one.record()
	one.becomes("passed")
	two.becomes("passed")
	one.seesEvidence()
	assert.Equal(t, 1, d.Calls(livetest.NonceTicket))
}

func TestCallback_TamperedNeverPasses(t *testing.T) {
	t.Parallel()
	d, p := visit(t, phone, refusedDocuments...)
	p.launch()
	number := p.launchedOrder()
	p.choose("-5016")
	p.becomes("not_passed")
	require.Len(t, p.callbacks(), 1)
	genuine, err := url.Parse(p.callbacks()[0])
	require.NoError(t, err)
	query := genuine.Query()
	signature := query.Get("newSignature")
	require.NotEmpty(t, signature)

	for _, change := range map[string]func(url.Values){
		"code":                func(q url.Values) { q.Set("code", "0") },
		"code and score":      func(q url.Values) { q.Set("code", "0"); q.Set("liveRate", "100") },
		"no signature":        func(q url.Values) { q.Set("code", "0"); q.Del("newSignature") },
		"digits moved":        func(q url.Values) { q.Set("code", "0"); q.Set("orderNo", number+"-5016") },
		"signature":           func(q url.Values) { q.Set("newSignature", strings.Repeat("0", 40)) },
		"code twice":          func(q url.Values) { q.Add("code", "0") },
		"another order":       func(q url.Values) { q.Set("orderNo", "D0"); q.Set("code", "0") },
		"another failed code": func(q url.Values) { q.Set("code", "3001"); q.Del("newSignature") },
	} {
		changed := url.Values{}
		for k, v := range query {
			changed[k] = append([]string(nil), v...)
		}
		change(changed)
		address := *genuine
		address.RawQuery = changed.Encode()
		p.open(address.String())
		p.neverPassed()
		p.open(d.url + "/liveness/" + number)
		p.becomes("not_passed")
	}
}

func TestCallback_ReplayedOrForeignNeverPasses(t *testing.T) {
	t.Parallel()
	d, ann := visit(t, phone, refusedDocuments...)
	ann.launch()
	ann.choose("0")
	ann.becomes("passed")
	first := ann.order()
	passing := ann.callbacks()[0]

	// Ann replays what passed for an order that did not.
	ann.launch()
	ann.choose("-5016")
	ann.becomes("not_passed")
	second := ann.order()
	ann.open(strings.Replace(passing, "/liveness/"+first, "/liveness/"+second, 1))
	ann.neverPassed()
	ann.open(strings.ReplaceAll(passing, first, second))
	ann.neverPassed()
	ann.open(d.url + "/liveness/" + second)
	ann.becomes("not_passed")

	// Ben gets hold of Ann's address, and of those of her page, photo and video.
	ben := newPerson(t, d, granting, phone, refusedDocuments...)
	ben.launch()
	for _, address := range []string{
		passing, d.url + "/liveness/" + first, d.url + "/liveness/" + first + "/photo", d.url + "/liveness/" + first + "/video",
	} {
		ben.open(address)
		ben.neverPassed()
		assert.Contains(t, ben.text(), "This browser has no such check")
	}
}
