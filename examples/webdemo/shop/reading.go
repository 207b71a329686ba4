package shop

// What a person is told.

import (
	"net/http"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

// A heading says how far a check is.
type heading struct{ Kind, Title, TitleEn string }

var headings = map[checks.State]heading{
	checks.Launched:  {"wait", "等待您完成验证", "Waiting for you to finish the check"},
	checks.Returned:  {"wait", "正在确认结果", "Confirming the result"},
	checks.Passed:    {"good", "验证通过", "You passed"},
	checks.NotPassed: {"bad", "验证未通过", "Not passed"},
	checks.OtherWay:  {"warn", "无法在此浏览器中验证", "The check cannot be done in this browser"},
	checks.Abandoned: {"warn", "没有验证结果", "There is no result: the check was not finished"},
}

// An advice helps honest people. It is given for what a bad recording or a browser did, by the catalogue's reason; who
// failed for any other reason reads the first, and learns neither code nor score: that would tell an attacker what to
// improve.
type advice struct{ Zh, En string }

var advices = map[string]advice{
	"":         {"请在光线充足、安静的地方重试；多次未通过，请到柜台办理", "Try again in good light and a quiet place. If that does not help, come to a branch."},
	"quality":  {"录制质量不够：请在光线充足、安静的地方，保持不动，露出面部，大声读出数字", "The recording was not good enough. Use good light and a quiet place, hold still, leave your face uncovered and speak up."},
	"attempts": {"二十四小时内次数过多，请明天再试", "Too many attempts within 24 hours. Try again tomorrow."},
	"device":   {"请换一个浏览器打开，允许使用摄像头，或到柜台办理", "Open the shop in another browser and allow the camera, or come to a branch."},
}

// view is a check as its page shows it.
type view struct {
	heading
	Number       string
	State        checks.State
	Advice       advice
	Evidence     string // "coming", "here", "gone"; empty: not shown
	Photo, Video bool
	Pending      bool // the page waits for a change
}

func (s *Shop) newView(c checks.Check, r *http.Request) view {
	v := view{heading: headings[c.State], Number: c.OrderNo, State: c.State, Pending: !c.State.Final()}
	if c.State == checks.NotPassed || c.State == checks.OtherWay {
		info, _ := webanklive.LookupCode(c.Code)
		v.Advice = advices[""]
		if given, ok := advices[info.Reason]; ok {
			v.Advice = given
		}
	}
	if s.album == nil || c.State != checks.Passed || !fromThisMachine(r) {
		return v
	}
	kept, here := s.picturesOf(c, r)
	switch {
	case here:
		v.Evidence, v.Photo, v.Video = "here", kept.photoType != "", kept.videoType != ""
	case c.Evidence == checks.EvidencePending:
		v.Evidence, v.Pending = "coming", true
	default:
		v.Evidence = "gone"
	}
	return v
}
