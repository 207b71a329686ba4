package conformance_test

// No foreign reply makes a person pass, a credential or a signed launch: the rule for results, tokens and tickets is said
// again as the list of what each needs.

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
)

// odd is the text of a member that is no text or number, too long, or there twice.
const odd = "\x00odd"

// An object is a JSON object taken apart: the values by name, and how often each name is there.
type object struct {
	values map[string]json.RawMessage
	count  map[string]int
}

// parseObject returns nil for what is no JSON object.
func parseObject(data []byte) *object {
	if !json.Valid(data) || !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return nil
	}
	o := &object{map[string]json.RawMessage{}, map[string]int{}}
	d := json.NewDecoder(bytes.NewReader(data))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return nil
		}
		o.values[name.(string)] = value
		o.count[name.(string)]++
	}
	return o
}

// text is a string, unescaped and trimmed, or a number as written; null and what is not there are nothing.
func (o *object) text(name string) string {
	if o == nil || o.count[name] == 0 {
		return ""
	}
	value := o.values[name]
	text := jsonScalar(value)
	switch {
	case o.count[name] > 1, strings.ContainsAny(string(value[:1]), "{[tf"), len(text) > 4<<10:
		return odd
	case string(value) == "null":
		return ""
	}
	return text
}

// jsonScalar is a string, unescaped and trimmed, or anything else as written.
func jsonScalar(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	return strings.TrimSpace(text)
}

// What FuzzReply answers to; 0 is a result without media.
const (
	replyToken   = 1
	replySign    = 2
	replyNonce   = 3
	replyMedia   = 4 // a result with photo and video
	replyChoices = 5
)

const goodToken = `{"code":"0","access_token":"` + fuzzToken + `","expire_in":"7200"}`

const goodTicket = `{"code":"0","tickets":[{"value":"` + fuzzTicket + `","expire_in":"3600"}]}`

func FuzzReply(f *testing.F) {
	for _, status := range []int{200, 206, 302, 400, 404, 429, 500, 503} {
		above200 := uint16(status - 200)
		for _, body := range []string{
			``, `null`, `[]`, `{}`, `<html>`, `{"code":"0"`, `{"code":null}`, `{"code":0}`, `{"code":"0","result":{"code":"-5013"}}`,
			`{"code":"66660011","msg":"无此查询结果"}`, `{"code":"400101","success":false}`, `{"code":"-99999"}`,
			`{"code":"-5013","result":{"code":"0"}}`, `{"code":0,"message":"ok","data":{"orderNo":"` + fuzzOrder + `"}}`,
			`{"code":"0","orderNo":"` + fuzzOrder + `","result":[]}`, `{"code":"0","orderNo":"` + fuzzOrder + `","app_id":"` + fuzzApp + `"}`,
			`{"code":"0","orderNo":"` + fuzzOrder + `","msg":{},"bizSeqNo":[],"liveRate":true}`, `{"code":true}`, `{"code":"AccessDenied"}`,
			`{"code":"-99999","orderNo":"` + fuzzOrder + `"}`, `{"code":"-99999","bizSeqNo":"1808"}`, `{"code":500}`,
			`{"code":"0","orderNo":"` + fuzzOrder + `","photo":"` + clienttest.SixtyFour + `","video":"null"}`, `{"result":{"code":"0","orderNo":"` + fuzzOrder + `"}}`,
			`{"code":"0","order_no":"other"}`, `{"code":"0","orderNo":"` + fuzzOrder + `","result":{"order_no":"other"}}`,
			`{"code":" 0\n","msg":"x","result":null,"app_id":"A","liveRate":95.5,"occurredTime":"20260304050607"}`,
			`{"code":"0","photo":"/9j/","video":"AAAAZnR5cA==","result":{"liveRate":"100","appId":"B"}}`, `{"code":"0","photo":"!"}`,
			`{"code":"400"}`, `{"code":429,"msg":"slow down"}`,
		} {
			f.Add([]byte(body), above200, uint8(0))
			f.Add([]byte(body), above200, uint8(replyMedia))
		}
		for _, expireIn := range []string{`7200`, `"7200"`, `0`, `-1`, `1e18`, `"abc"`, `null`, `9.9`, `10`, `60`, `600`, `"3600.0"`, `"NaN"`, `"Inf"`, `{}`} {
			f.Add([]byte(strings.Replace(goodToken, `"7200"`, expireIn, 1)), above200, uint8(replyToken))
			f.Add([]byte(strings.Replace(goodTicket, `"3600"`, expireIn, 1)), above200, uint8(replySign))
			f.Add([]byte(strings.Replace(goodTicket, `"3600"`, expireIn, 1)), above200, uint8(replyNonce))
		}
	}
	for _, body := range []string{
		`{"code":"0","access_token":"","expire_in":7200}`, `{"code":"0","tickets":[]}`, `{"code":"0","tickets":null}`,
		`{"code":"0","tickets":[{},{"value":"second","expire_in":3600}]}`, `{"code":"0","tickets":{"value":"x"}}`,
		`{"code":"400504"}`, `{"code":"15","msg":"` + fuzzSecret + `"}`, `{"code":"15","msg":"` + fuzzTicket + fuzzPrevious + `"}`,
	} {
		for _, what := range []uint8{replyToken, replySign, replyNonce} {
			f.Add([]byte(body), uint16(0), what)
		}
	}

	var body []byte
	var status int
	foreign := func(req *http.Request) (*http.Response, error) {
		return unsized(req, status, bytes.NewReader(body)), nil
	}
	held := newFuzzClient(f, foreign, standstill, webanklive.WithCredentialSource(fixedSource{}))
	f.Fuzz(func(t *testing.T, b []byte, above200 uint16, what uint8) {
		body, status = b, 200+int(above200)%400
		switch what %= replyChoices; what {
		case replyToken, replySign:
			checkGrant(t, foreign, what, body, status)
		case replyNonce:
			checkNonce(t, held, body, status)
		default:
			checkResult(t, held, what == replyMedia, body, status)
		}
	})
}

// aReply is what the oracle reads in a reply about a result. It is plain when nothing about the JSON is odd, so that
// it must be understood; otherwise it may also be refused as a whole.
type aReply struct {
	plain       bool
	oddResult   bool // neither an object, nor null, nor empty
	top, nested *object
	media       map[string][]byte
}

// all returns what either level has under names, blanks left out.
func (r *aReply) all(names ...string) (found []string) {
	for _, level := range []*object{r.nested, r.top} {
		for _, name := range names {
			if text := level.text(name); text != "" {
				found = append(found, text)
			}
		}
	}
	return found
}

func (r *aReply) first(names ...string) string {
	for _, text := range r.all(names...) {
		if text != odd {
			return text
		}
	}
	return ""
}

// readReply returns nil for what is no JSON object at all. Raw white space in a string is left out: it is accepted in
// media.
func readReply(body []byte) *aReply {
	plain := json.Valid(body) && len(body) < 4<<10 && understood(body)
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !json.Valid(body) {
		body = bytes.Map(func(c rune) rune {
			if c == '\r' || c == '\n' || c == '\t' {
				return -1
			}
			return c
		}, body)
	}
	top := parseObject(body)
	if top == nil {
		return nil
	}
	result := top.values["result"]
	r := &aReply{plain: plain && top.count["result"] < 2, top: top, nested: parseObject(result), media: map[string][]byte{}}
	r.oddResult = r.nested == nil && !slices.Contains([]string{"", "null", `""`}, string(result))
	for _, level := range []*object{r.nested, top} {
		for _, name := range []string{"photo", "video"} {
			if level == nil || level.count[name] == 0 {
				continue
			}
			data, err := base64.StdEncoding.Strict().DecodeString(level.text(name))
			r.plain = r.plain && err == nil && level.values[name][0] == '"' && r.media[name] == nil
			if len(data) >= 64 {
				r.media[name] = data
			}
		}
	}
	return r
}

// understood says that a reply must be taken when it grants something: it is neither too long nor too deep.
func understood(body []byte) bool {
	return len(body) < 1<<20 && bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) < 32
}

// resultRule returns an error of the class that a reply about a person deserves, nil when the person passed. It is said
// as the list of what a pass needs, so that whatever else may come is none.
func resultRule(r *aReply, status int) error {
	if r == nil || status/100 == 3 {
		return webanklive.ErrUnavailable
	}
	another := func(want string) func(string) bool { return func(text string) bool { return text != want } }
	orders, codes, ok := r.all("orderNo", "order_no"), r.all("code"), status/100 == 2
	named := slices.Contains(orders, fuzzOrder)
	if slices.ContainsFunc(orders, another(fuzzOrder)) {
		return webanklive.ErrUnavailable
	}
	if ok && named && !r.oddResult && len(codes) > 0 && !slices.ContainsFunc(codes, another("0")) &&
		!slices.ContainsFunc(r.all("app_id", "appId"), another(fuzzApp)) {
		return nil
	}
	for _, code := range codes {
		if code == "0" || !codeShape.MatchString(code) {
			continue
		}
		if _, known := webanklive.LookupCode(code); known || ok && (named || r.first("bizSeqNo") != "") {
			return &webanklive.Error{Code: code}
		}
		break
	}
	return webanklive.ErrUnavailable
}

// mediaString is passed unread, whatever it holds, when nobody asked for it.
var mediaString = regexp.MustCompile(`(?s)"(photo|video)"\s*:\s*"(?:[^"\\]|\\.)*"`)

var plainText = regexp.MustCompile(`^[!-~]{0,32}$`)

func checkResult(t *testing.T, c *webanklive.Client, media bool, body []byte, status int) {
	req := webanklive.LiveResultRequest{OrderNo: fuzzOrder}
	if media {
		req.GetFile = webanklive.GetFileAll
	}
	res, err := c.GetLiveResult(t.Context(), req)
	if !media {
		body = mediaString.ReplaceAll(body, []byte(`"$1":""`))
	}
	r := readReply(body)
	rule := resultRule(r, status)
	if err != nil {
		requireHarmless(t, err, fuzzToken, fuzzTicket, fuzzPrevious)
	}
	switch {
	case err == nil:
		require.Contains(t, r.all("orderNo", "order_no"), fuzzOrder, "no reply without this order number ever passes: %q", body)
		require.NoError(t, rule, "passed: %q", body)
	case r != nil && r.plain:
		require.Error(t, rule, "%v: %q", err, body)
		clienttest.RequireClass(t, err, rule)
	case errors.Is(err, webanklive.ErrMedia):
		require.True(t, media && status/100 == 2)
		require.True(t, r == nil || rule == nil, "%v: %q", err, body) // nil: cut inside the media, after code 0
		require.Equal(t, "0", res.Code)
	case r == nil && media && errors.Is(err, webanklive.ErrNotPassed): // cut inside the media, after another code
	case !errors.Is(err, webanklive.ErrUnavailable):
		clienttest.RequireClass(t, err, rule)
	}
	require.Equal(t, err == nil || errors.Is(err, webanklive.ErrNotPassed) || errors.Is(err, webanklive.ErrMedia), res != nil)
	if res == nil {
		return
	}
	require.Equal(t, fuzzOrder, res.OrderNo)
	if r == nil {
		return
	}
	for got, want := range map[*string]string{
		&res.Message: r.first("msg"), &res.BizSeqNo: r.first("bizSeqNo"), &res.LiveRate: r.first("liveRate"),
		&res.OccurredTime: r.first("occurredTime"), &res.AppID: r.first("app_id", "appId"),
	} {
		require.False(t, strings.ContainsFunc(*got, unicode.IsControl), "%q", *got)
		require.LessOrEqual(t, len(*got), 256)
		if plainText.MatchString(want) && !strings.Contains(want, "-of-the-partner") && !strings.Contains(want, "TICKET-") {
			require.Equal(t, want, *got)
		}
	}
	if at, err := time.ParseInLocation("20060102150405", res.OccurredTime, time.FixedZone("", 8*3600)); err == nil {
		require.True(t, res.OccurredAt.Equal(at))
	} else {
		require.True(t, res.OccurredAt.IsZero())
	}
	if err == nil && media && r.plain {
		require.Equal(t, string(r.media["photo"]), string(res.Photo))
		require.Equal(t, string(r.media["video"]), string(res.Video))
	}
}

// granted is what the oracle reads in a reply about a token or ticket; ok says that it grants one.
func granted(what uint8, body []byte, status int) (value string, life time.Duration, ok bool) {
	top := parseObject(bytes.TrimPrefix(body, []byte("\ufeff")))
	if top == nil || status/100 != 2 {
		return "", 0, false
	}
	value, expireIn, longest := top.text("access_token"), top.text("expire_in"), 7200.0
	if what != replyToken {
		var ticket *object
		var list []json.RawMessage
		if top.count["tickets"] == 1 && json.Unmarshal(top.values["tickets"], &list) == nil && len(list) > 0 {
			ticket = parseObject(list[0])
		}
		value, expireIn, longest = ticket.text("value"), ticket.text("expire_in"), map[uint8]float64{replySign: 3600, replyNonce: 120}[what]
	}
	seconds, err := strconv.ParseFloat(expireIn, 64)
	life = time.Duration(min(seconds, longest) * float64(time.Second))
	return value, life, err == nil && seconds >= 10 && value != "" && value != odd && top.text("code") == "0"
}

// checkGrant mints with one foreign reply and checks that a credential is made of what was granted, or not at all.
func checkGrant(t *testing.T, foreign clienttest.RoundTrip, what uint8, body []byte, status int) {
	c := newFuzzClient(t, func(req *http.Request) (*http.Response, error) {
		isTicket := strings.HasSuffix(req.URL.Path, "/api_ticket")
		switch {
		case isTicket == (what == replySign):
			return foreign(req)
		case isTicket:
			return httpmock.NewStringResponse(200, goodTicket), nil
		}
		return httpmock.NewStringResponse(200, goodToken), nil
	}, standstill)
	got, err := c.Credential(t.Context())
	value, life, ok := granted(what, body, status)
	if err != nil {
		requireHarmless(t, err)
		if what == replySign { // otherwise nobody has heard of the token yet
			requireHarmless(t, err, fuzzToken)
		}
		require.False(t, ok && understood(body), "%v: %q", err, body)
		require.Zero(t, got)
		return
	}
	require.True(t, ok, "%q", body)
	want := webanklive.Credential{AccessToken: fuzzToken, SignTicket: fuzzTicket, RefreshAt: got.RefreshAt, ExpiresAt: got.ExpiresAt}
	if what == replyToken {
		want.AccessToken, life = value, min(life, time.Hour)
	} else {
		want.SignTicket = value
	}
	require.Equal(t, want, got)
	require.True(t, got.RefreshAt.After(fuzzNow) && got.RefreshAt.Before(got.ExpiresAt), "%v", got)
	// The mint took a moment, on a clock that stands still; the age runs from before it.
	took := fuzzNow.Add(life - min(time.Minute, life/2)).Sub(got.ExpiresAt)
	require.True(t, 0 <= took && took < 5*time.Second, "%v for %v", got, life)
}

// checkNonce launches with a foreign reply and checks that the link is signed with the ticket that was granted.
func checkNonce(t *testing.T, c *webanklive.Client, body []byte, status int) {
	if bytes.Contains(body, []byte("400504")) {
		return // waits out two seconds
	}
	link, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(fuzzOrder, "user"))
	ticket, _, ok := granted(replyNonce, body, status)
	if err != nil {
		requireHarmless(t, err, fuzzToken, fuzzTicket, fuzzPrevious)
		require.False(t, ok && understood(body), "%v: %q", err, body)
		return
	}
	require.True(t, ok, "%q", body)
	u, err := url.Parse(link)
	require.NoError(t, err)
	q := u.Query()
	require.Equal(t, strings.ToUpper(signature(fuzzApp, "user", fuzzOrder, "1.0.0", ticket, q.Get("nonce"))), q.Get("sign"))
}
