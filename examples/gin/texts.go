package ginlive

// What people read. Your own pages take their place. examples/nethttp has the same texts, because each example is copied as a
// whole and must not need another.

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

var texts = map[checks.State]string{
	checks.Launched:  "请回到验证页面完成；如已关闭，请十五分钟后再开始 Finish in the page of the check. If it is closed, start again after 15 minutes",
	checks.Returned:  "正在确认，请稍候 One moment please",
	checks.Passed:    "验证通过 Passed",
	checks.NotPassed: "验证未通过，可以重新开始 Not passed. You can start again",
	checks.OtherWay:  "此设备无法验证，请到柜台办理 This device cannot do the check. Please come to a branch", // a way that is as strong
	checks.Abandoned: "没有结果，请重新开始 No result. Please start again",
}

// explain returns the status and the text of an error. What it does not know is temporary.
func explain(err error) (status int, text string) {
	switch {
	case errors.Is(err, checks.ErrNotFound):
		return http.StatusNotFound, "没有这次验证，请重新开始 There is no such check. Please start again"
	case errors.Is(err, webanklive.ErrBadCallback):
		return http.StatusBadRequest, "无法确认，请重新开始 This cannot be confirmed. Please start again"
	case errors.Is(err, checks.ErrUnderWay):
		return http.StatusConflict, "正在别处验证，请稍后再试 A check is under way elsewhere. Please try again later"
	case errors.Is(err, checks.ErrTooMany):
		return http.StatusTooManyRequests, "今天的次数已用完 No attempts left today"
	case errors.Is(err, webanklive.ErrInvalidRequest):
		return http.StatusForbidden, "请先登录 Please sign in" // no user; or an ID that the platform does not take
	}
	return http.StatusServiceUnavailable, "请稍候 One moment please"
}

// repeat answers with a page that repeats the same request: the way back by itself, callback and all; a form by its button,
// because a refresh is a GET.
func repeat(c *gin.Context, text string) {
	c.Header("Retry-After", "3")
	if c.Request.Method != http.MethodPost {
		c.Header("Refresh", "3")
		c.String(http.StatusServiceUnavailable, "%s", text)
		return
	}
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.String(http.StatusServiceUnavailable, "<!DOCTYPE html><form method=\"post\">%s <button>再试一次 Try again</button></form>\n", text)
}
