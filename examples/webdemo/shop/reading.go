package shop

// What a person is told: the vendor's words from the catalogue, and this shop's reading of them in English.

import (
	"time"

	"github.com/webanklive/webanklive"
)

// readings are by reason. A code whose reason is not listed, an unknown one among them, gets the first.
var readings = map[string]string{
	"":         "The check was not passed. Please try again.",
	"liveness": "A live person could not be made out. Find good light, keep your face in the frame and read the digits aloud.",
	"quality":  "The recording was not good enough. Use good light and a quiet place, hold still and leave your face uncovered.",
	"attack":   "It could not be confirmed that you were in front of the camera yourself. Do the check in person.",
	"identity": "The person could not be matched. Make sure that your details are right and that only you are in the picture.",
	"risk":     "The check was stopped by risk control. Please contact us.",
	"attempts": "Too many attempts within 24 hours. Please try again tomorrow.",
	"device":   "This browser cannot do the check. Open the shop in another browser, or choose another way to identify.",
}

// deviceReadings are for the codes of the platform's page itself.
var deviceReadings = map[string]string{
	"3001": "This browser cannot record video. Open the shop in another browser, or choose another way to identify.",
	"3003": "The check was interrupted. Start again.",
	"3004": "The camera was not available. Allow this site to use it and start again.",
}

// A heading says how far an order is.
type heading struct{ Kind, Title, TitleEn string }

var headings = map[stage]heading{
	launched:  {"wait", "等待您完成验证", "Waiting for you to finish the check"},
	waiting:   {"wait", "正在确认结果", "Confirming the result"},
	passed:    {"good", "验证通过", "You passed"},
	notPassed: {"bad", "验证未通过", "Not passed"},
	noResult:  {"warn", "没有验证结果", "There is no result: the check was not finished"},
	unsigned:  {"warn", "无法在此浏览器中验证", "The check cannot be done in this browser"},
	trouble:   {"warn", "暂时无法确认结果", "The result cannot be confirmed just now; we were told"},
}

// view is an order as its page shows it.
type view struct {
	heading
	Number, Code, Message, Advice, English string
	Score, Time, Serial                    string
	Stage                                  stage
	Evidence                               evidence
	Photo, Video                           bool
	Version                                int
	Pending                                bool // the page waits for a change
}

func newView(o order) view {
	v := view{
		heading: headings[o.stage],
		Number:  o.number, Code: o.code, Stage: o.stage, Version: o.version, Evidence: o.evidence,
		Score: o.result.LiveRate, Serial: o.result.BizSeqNo,
		Photo: o.result.PhotoSize > 0 && o.result.PhotoType != "", Video: o.result.VideoSize > 0 && o.result.VideoType != "",
		Pending: o.stage == launched || o.stage == waiting || o.stage == passed && o.evidence == coming,
	}
	if !o.result.OccurredAt.IsZero() {
		v.Time = o.result.OccurredAt.Format(time.DateTime)
	}
	if o.stage == notPassed || o.stage == unsigned {
		info, _ := webanklive.LookupCode(o.code)
		v.Message, v.Advice, v.English = info.Message, info.Advice, english(info)
		if v.Message == "" {
			v.Message = "验证未通过"
		}
	}
	return v
}

func english(info webanklive.CodeInfo) string {
	if text, ok := deviceReadings[info.Code]; ok {
		return text
	}
	if text, ok := readings[info.Reason]; ok {
		return text
	}
	return readings[""]
}
