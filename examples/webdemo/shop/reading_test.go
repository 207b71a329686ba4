package shop_test

// What people read.

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

// A page does not explain a failed attack; after a bad recording it says what to improve.
func TestPage_ExplainsNoAttack(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	text := map[string]string{}
	for _, code := range []string{"-5016", "-99999", "-5013"} {
		eve := m.customer()
		number, back := eve.check(livetest.Person{Code: code, LiveRate: "61.5"})
		eve.get(back)
		eve.becomes(number, "not_passed")
		_, page := eve.get(m.url + "/liveness/" + number)
		_, state := eve.get(m.url + "/liveness/" + number + "/state")
		for _, told := range []string{"61.5", code, "翻拍", "活体检测不通过"} {
			assert.NotContains(t, page+state, told)
		}
		text[code] = strings.ReplaceAll(page, number, "")
		require.Eventually(t, func() bool { return strings.Contains(m.log.String(), "code="+code) }, 20*time.Second, 10*time.Millisecond, "the log has it")
	}
	assert.Equal(t, text["-99999"], text["-5016"], "an attack looks like any failure")
	assert.Contains(t, text["-5013"], "quiet place")
	assert.NotEqual(t, text["-5013"], text["-5016"])
}

func TestPage_OffersAnotherWay(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	number, back := c.check(livetest.WithoutRecorder())
	c.get(back)
	c.becomes(number, "other_way")
	_, page := c.get(m.url + "/liveness/" + number)
	assert.Contains(t, page, "请换一个浏览器打开")
	assert.Contains(t, page, "come to a branch")
}

func TestPage_SaysThatThePlatformIsAFake(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	c := m.customer()
	_, number := c.launch()
	for _, path := range []string{"/", "/liveness/" + number, "/liveness/none", "/none", "/liveness/" + number + "/done"} {
		_, page := c.get(m.url + path)
		assert.Contains(t, page, "平台是仿真的", path)
		assert.Contains(t, page, "the platform is a fake", path)
	}
}

func TestPage_WaitsForLateThings(t *testing.T) {
	t.Parallel()
	m := newMarket(t, nil)
	m.platform.SetMediaLag(time.Hour)
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Code: "66660011"}, 1)
	m.platform.Fail(livetest.LiveResult, livetest.Fault{Status: 502}, 1)
	c := m.customer()
	number, back := c.check(livetest.Passing())
	state := func() (v struct{ State, Evidence string }) {
		_, body := c.get(m.url + "/liveness/" + number + "/state")
		require.NoError(t, json.Unmarshal([]byte(body), &v))
		return v
	}
	before := state()
	c.get(back)
	assert.Equal(t, "returned", c.stage(number))
	assert.NotEqual(t, before, state(), "a waiting page hears of the change")
	c.becomes(number, "passed")
	assert.Equal(t, "coming", state().Evidence)
	_, page := c.get(m.url + "/liveness/" + number)
	assert.Contains(t, page, "data-pending")
}
