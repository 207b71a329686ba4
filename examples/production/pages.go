package main

// The pages: one template, in Chinese and English, for a phone.

import (
	"embed"
	"html/template"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

//go:embed pages/page.html
var files embed.FS

var pageTemplate = template.Must(template.ParseFS(files, "pages/page.html"))

// pages renders. note stands at the foot of every page; it says so when the platform is a fake.
type pages struct{ note string }

// text is what a page says, in both languages. Again offers a new attempt.
type text struct {
	Kind, Title, TitleEn, Advice, AdviceEn string
	Again                                  bool
}

var texts = map[string]text{
	"start": {"", "请完成活体验证", "Show that it is you", "打开摄像头，录制几秒钟的视频，然后回到这里。", "Open your camera, record a few seconds, and come back here.", true},
	"launched": {"wait", "等待录制", "Waiting for the recording", "请在打开的页面中完成录制。如已关闭该页面，请稍后重新开始。",
		"Finish in the page that has opened. If you have closed it, start again in a while.", false},
	"returned":   {"wait", "正在核对结果", "One moment please", "本页会自动刷新。", "This page goes on by itself.", false},
	"passed":     {"good", "验证通过", "Passed", "", "", false},
	"not_passed": {"bad", "验证未通过", "Not passed", "", "", true},
	"other_way":  {"bad", "无法在此设备上录制", "This device cannot record", "请更换浏览器或设备，或到网点办理。", "Use another browser or device, or come to a branch.", true},
	"abandoned":  {"bad", "没有结果", "No result", "请重新开始。", "Please start again.", true},
	"unknown":    {"bad", "没有找到", "Not found", "请在开始验证的浏览器中打开，或重新开始。", "Open it in the browser that you started in, or start again.", true},
	"bad":        {"bad", "无法核对", "The answer cannot be confirmed", "请重新开始。", "Please start again.", true},
	"busy":       {"wait", "已有验证正在进行", "A check is under way", "请先完成，或稍后再试。", "Finish it first, or try again later.", false},
	"toomany":    {"bad", "今日次数已用完", "No attempts left today", "请明天再试。", "Please try again tomorrow.", false},
	"forged":     {"bad", "请从首页开始", "Please begin at the start page", "", "", true},
	"later":      {"wait", "系统繁忙，请稍候", "We are busy, one moment please", "本页会自动重试。", "This page tries again by itself.", false},
	"repeat":     {"wait", "系统繁忙，请稍候", "We are busy, one moment please", "请稍候再按一次。", "Wait a moment, then press the button again.", true},
}

// show renders a page. Nothing of it may be kept by a cache, and no other site learns its address.
func (p pages) show(c *gin.Context, status int, name string, check *checks.Check) {
	t := texts[name]
	if check != nil && check.State == checks.NotPassed {
		t.Advice, t.AdviceEn = advice(check.Code)
	}
	c.Status(status)
	c.Header("Content-Type", "text/html; charset=utf-8")
	if c.Request.Method != http.MethodHead {
		_ = pageTemplate.Execute(c.Writer, map[string]any{"Text": t, "Check": check, "Note": p.note})
	}
}

// advice explains what the person can do better, and does not explain an attack to the attacker.
func advice(code string) (zh, en string) {
	info, _ := webanklive.LookupCode(code)
	switch info.Reason {
	case "quality", "liveness", "device", "attempts":
		return info.Message, info.Meaning
	}
	return "请重新开始，或联系客服。", "Please start again, or ask our support."
}
