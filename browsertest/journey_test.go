package browsertest

// The ways a check can go, from the shop's start page to its end.

import (
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/examples/webdemo/shop"
	"github.com/webanklive/webanklive/livetest"
)

func TestJourney_PersonPassesAndSeesPhotoAndPlayingVideo(t *testing.T) {
	t.Parallel()
	for _, s := range []screen{phone, desktop} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			d, p := visit(t, s)
			p.open(d.url)
			p.fitsAndIsAccessible()
			p.click("#start button")
			p.seesThePlatform()
			p.fitsAndIsAccessible()
			p.click("summary")
			p.fitsAndIsAccessible()
			p.record()
			p.becomes("passed")
			p.seesEvidence()
			p.fitsAndIsAccessible()
			assert.Equal(t, 1, d.Calls(livetest.NonceTicket))
			assert.Empty(t, d.Refusals())
			assert.Equal(t, "/ida/api/web/livelogin", d.Requests(livetest.LiveLogin)[0].Path, "unless the visitor chooses")
			referer := d.Requests(livetest.LiveLogin)[0].Header.Get("Referer")
			assert.Empty(t, referer, "the platform learns no address of the shop")
		})
	}
}

func TestResultPage_LeadsBack(t *testing.T) {
	t.Parallel()
	for passed, stage := range map[string]string{"true": "passed", "false": "not_passed"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			d := newDemo(t, func(c *shop.Config) { c.ShowResultPage = true })
			p := newPerson(t, d, granting, phone)
			p.launch()
			if stage == "passed" {
				p.record()
			} else {
				p.choose("-5013")
			}
			p.until(`document.querySelector("main").dataset.passed == "` + passed + `"`)
			p.fitsAndIsAccessible()
			p.click("#callback")
			p.becomes(stage)
		})
	}
}

func TestJourney_NeedsTheKeyboardAlone(t *testing.T) {
	t.Parallel()
	d, p := visit(t, desktop)
	p.open(d.url)
	p.tabTo("#start button")
	p.do(chromedp.KeyEvent("\r"))
	p.seesThePlatform()
	p.tabTo("#go")
	p.do(chromedp.KeyEvent("\r"))
	p.until(`document.querySelector("main").dataset.state == "camera"`)
	p.do(chromedp.KeyEvent("\r")) // the focus stays on the button
	p.becomes("passed")
}

func TestStart_OffersThePageForComputers(t *testing.T) {
	t.Parallel()
	d, p := visit(t, desktop)
	p.open(d.url)
	p.click("summary")
	p.fitsAndIsAccessible()
	p.click("button[value=pc]")
	p.seesThePlatform()
	assert.Equal(t, "/ida/api/pc/livelogin", d.Requests(livetest.LiveLogin)[0].Path)
	p.record()
	p.becomes("passed")
}

func TestJourney_PersonWhoFailsIsToldWhatHelps(t *testing.T) {
	t.Parallel()
	for code, texts := range map[string][]string{
		"-5013":    {"大声读出数字", "quiet place"},
		"66660017": {"请明天再试", "tomorrow"},
		"-5016":    {"请到柜台办理", "come to a branch"}, // an attack, which is not explained
		"-99999":   {"请到柜台办理", "come to a branch"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			_, p := visit(t, phone)
			p.launch()
			p.choose(code)
			p.becomes("not_passed")
			text := p.text()
			for _, want := range append(texts, p.order(), "平台是仿真的") {
				assert.Contains(t, text, want)
			}
			assert.NotContains(t, text, code)
			assert.NotContains(t, text, "活体检测不通过")
			p.neverPassed()
			p.fitsAndIsAccessible()
		})
	}
}

func TestJourney_PersonWhoLeavesHalfWayHasNoResult(t *testing.T) {
	t.Parallel()
	d, p := visit(t, phone)
	p.launch()
	number := p.launchedOrder()
	p.record()
	p.until(`document.querySelector("main").dataset.state == "recording"`)
	p.open(d.url + "/liveness/" + number)
	p.becomes("launched")
	assert.Zero(t, d.Calls(livetest.LiveResult), "nobody came back, nobody is asked")
	p.fitsAndIsAccessible()

	// A callback that comes too early is signed and all, and still decides nothing.
	early := d.CallbackQuery(number, "0", "100")
	p.open(d.url + "/liveness/" + number + "/done?" + early.Encode())
	p.neverPassed()
	p.becomes("returned")
	p.neverPassed()
	p.fitsAndIsAccessible()
}

func TestCamera_RefusedIsAnotherWay(t *testing.T) {
	t.Parallel()
	d := newDemo(t, nil)
	p := newPerson(t, d, refusing, phone)
	for _, name := range []string{"camera", "microphone"} {
		p.refuse(name)
	}
	p.launch()
	p.click("#go")
	p.becomes("other_way")
	assert.Contains(t, p.text(), "允许使用摄像头")
	p.neverPassed()
	assert.NotContains(t, p.callbacks()[0], "newSign", "nothing took place, so nothing is signed")
}

func TestCamera_BrowserWithoutRecorderIsAnotherWay(t *testing.T) {
	t.Parallel()
	d, p := visit(t, phone)
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: "delete window.MediaRecorder"})
	p.open(d.url)
	p.click("#start button")
	p.becomes("other_way")
	text := p.text()
	assert.Contains(t, text, "请换一个浏览器打开")
	assert.Contains(t, text, "come to a branch")
	p.neverPassed()
	p.fitsAndIsAccessible()
	require.Len(t, p.callbacks(), 1)
	assert.Contains(t, p.callbacks()[0], "code=3001")
}

func TestResult_PageWaitsForALateOneAndLateEvidence(t *testing.T) {
	t.Parallel()
	d := newDemo(t, nil)
	d.SetMediaLag(time.Hour)
	d.Fail(livetest.LiveResult, livetest.Fault{Code: "66660011"}, -1)
	p := newPerson(t, d, granting, phone)
	p.launch()
	p.choose("0")
	p.becomes("returned")
	p.neverPassed()
	p.fitsAndIsAccessible()
	d.Fail(livetest.LiveResult, livetest.Fault{}, 0)
	p.becomes("passed")
	p.until(`document.querySelector(".evidence .wait")`)
	d.SetMediaLag(0)
	p.until(`document.querySelector(".evidence video")?.videoWidth > 0`)
}

// refuse answers the browser's question for a device with no.
func (p *tab) refuse(name string) {
	p.t.Helper()
	own := chromedp.FromContext(p.ctx).BrowserContextID
	_, err := chromedp.CallBrowser(p.ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: name}, Setting: browser.PermissionSettingDenied, BrowserContextID: own,
	})
	require.NoError(p.t, err)
}
