package conformance_test

// Fuzzing of the replies: results, tokens and tickets.

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
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

// jsonMember is one "name": value of a JSON object.
type jsonMember struct {
	name  string
	value json.RawMessage
}

// jsonMembers takes the JSON object apart. It reports false for anything else.
func jsonMembers(object []byte) (found []jsonMember, ok bool) {
	if !json.Valid(object) || !bytes.HasPrefix(bytes.TrimSpace(object), []byte("{")) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token()
	for d.More() {
		name, _ := d.Token()
		m := jsonMember{name: name.(string)}
		if d.Decode(&m.value) != nil {
			return nil, false
		}
		found = append(found, m)
	}
	return found, true
}

// jsonScalar is a string, unescaped and trimmed, or anything else as written; null is nothing.
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
		for _, expireIn := range []string{`7200`, `"7200"`, `0`, `-1`, `1e18`, `"abc"`, `null`, `9.9`, `10`, `"NaN"`, `"Inf"`, `{}`} {
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
		return &http.Response{
			StatusCode: status, Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(bytes.NewReader(body)), Request: req,
		}, nil
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

// resultFields is what a result is made of; either level may have each.
var resultFields = []string{"code", "msg", "bizSeqNo", "liveRate", "occurredTime", "orderNo", "order_no", "app_id", "appId"}

// fields are those of one level that are there: their texts, odd for one that is no text or number, too long, or there
// twice.
type fields map[string]string

const odd = "\x00odd"

func (f fields) add(name string, value json.RawMessage, again bool) {
	text := jsonScalar(value)
	switch {
	case again, strings.ContainsAny(string(value[:1]), "{[tf"), len(text) > 4<<10:
		f[name] = odd
	case string(value) != "null":
		f[name] = text
	}
}

// aReply is what the oracle reads in a reply about a result. It is plain when nothing about the JSON is odd, so that
// it must be understood; otherwise it may also be refused as a whole.
type aReply struct {
	plain       bool
	oddResult   bool // neither an object, nor null, nor empty
	top, nested fields
	media       map[string][]byte
}

func (r *aReply) first(names ...string) string {
	for _, level := range []fields{r.nested, r.top} {
		for _, name := range names {
			if level[name] != "" && level[name] != odd {
				return level[name]
			}
		}
	}
	return ""
}

// all returns what either level has under names, blanks left out.
func (r *aReply) all(names ...string) (found []string) {
	for _, level := range []fields{r.nested, r.top} {
		for _, name := range names {
			if level[name] != "" {
				found = append(found, level[name])
			}
		}
	}
	return found
}

// readReply returns nil for what is no JSON object at all. Raw white space in a string is left out: it is accepted in
// media.
func readReply(body []byte) *aReply {
	r := &aReply{plain: json.Valid(body) && len(body) < 4<<10 && bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) < 32,
		top: fields{}, nested: fields{}, media: map[string][]byte{}}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !json.Valid(body) {
		body = bytes.Map(func(c rune) rune {
			if c == '\r' || c == '\n' || c == '\t' {
				return -1
			}
			return c
		}, body)
	}
	top, ok := jsonMembers(body)
	if !ok {
		return nil
	}
	r.read(top, r.top, true)
	return r
}

func (r *aReply) read(level []jsonMember, into fields, top bool) {
	seen := map[string]bool{}
	for _, m := range level {
		nested, isObject := jsonMembers(m.value)
		switch {
		case slices.Contains(resultFields, m.name):
			into.add(m.name, m.value, seen[m.name])
		case m.name == "photo" || m.name == "video":
			data, err := base64.StdEncoding.Strict().DecodeString(jsonScalar(m.value))
			r.plain = r.plain && err == nil && m.value[0] == '"' && r.media[m.name] == nil
			if r.media[m.name] = data; len(data) < 64 {
				r.media[m.name] = nil
			}
		case m.name == "result" && top:
			r.plain = r.plain && !seen[m.name]
			r.oddResult = !isObject && string(m.value) != "null" && string(m.value) != `""`
			if isObject {
				r.read(nested, r.nested, false)
			}
		}
		seen[m.name] = true
	}
}

// resultRule returns the class of error that a reply about a person deserves, nil when the person passed. It is said as
// the list of what a pass needs, so that whatever else may come is none.
func resultRule(r *aReply, status int) error {
	if r == nil || status/100 == 3 {
		return webanklive.ErrUnavailable
	}
	orders, codes := r.all("orderNo", "order_no"), r.all("code")
	named := slices.Contains(orders, fuzzOrder)
	if slices.ContainsFunc(orders, func(o string) bool { return o != fuzzOrder }) {
		return webanklive.ErrUnavailable
	}
	if status/100 == 2 && named && !r.oddResult && len(codes) > 0 &&
		!slices.ContainsFunc(codes, func(c string) bool { return c != "0" }) &&
		!slices.ContainsFunc(r.all("app_id", "appId"), func(id string) bool { return id != fuzzApp }) {
		return nil
	}
	for _, code := range codes {
		if code == "0" || !codeShape.MatchString(code) {
			continue
		}
		if info, known := catalogueRow(code); known {
			return errorClasses[info.class]
		}
		if status/100 == 2 && (named || r.first("bizSeqNo") != "") {
			return webanklive.ErrNotPassed
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
		requireOneClass(t, err, rule)
	case errors.Is(err, webanklive.ErrMedia):
		require.True(t, media && status/100 == 2)
		require.True(t, r == nil || rule == nil, "%v: %q", err, body) // nil: cut inside the media, after code 0
		require.Equal(t, "0", res.Code)
	case r == nil && media && errors.Is(err, webanklive.ErrNotPassed): // cut inside the media, after another code
	case !errors.Is(err, webanklive.ErrUnavailable):
		requireOneClass(t, err, rule)
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
	members, isObject := jsonMembers(bytes.TrimPrefix(body, []byte("\ufeff")))
	if !isObject || status/100 != 2 {
		return "", 0, false
	}
	top, ticket, seen := fields{}, fields{}, map[string]bool{}
	for _, m := range members {
		if m.name == "tickets" && what != replyToken {
			var list []json.RawMessage
			if seen[m.name] {
				return "", 0, false
			}
			if json.Unmarshal(m.value, &list) == nil && len(list) > 0 {
				inside, _ := jsonMembers(list[0])
				again := map[string]bool{}
				for _, m := range inside {
					ticket.add(m.name, m.value, again[m.name])
					again[m.name] = true
				}
			}
		}
		top.add(m.name, m.value, seen[m.name])
		seen[m.name] = true
	}
	value, expireIn, longest := top["access_token"], top["expire_in"], 7200.0
	if what != replyToken {
		value, expireIn, longest = ticket["value"], ticket["expire_in"], map[uint8]float64{replySign: 3600, replyNonce: 120}[what]
	}
	seconds, err := strconv.ParseFloat(expireIn, 64)
	life = time.Duration(min(seconds, longest) * float64(time.Second))
	return value, life, err == nil && seconds >= 10 && value != "" && value != odd && top["code"] == "0"
}

// understood says that a reply must be taken when it grants something: it is neither too long nor too deep.
func understood(body []byte) bool {
	return len(body) < 1<<20 && bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) < 32
}

// checkGrant mints with one foreign reply and checks that a credential is made of what was granted, or not at all.
func checkGrant(t *testing.T, foreign clienttest.RoundTrip, what uint8, body []byte, status int) {
	c := newFuzzClient(t, func(req *http.Request) (*http.Response, error) {
		isTicket := strings.HasSuffix(req.URL.Path, "/api_ticket")
		if isTicket == (what == replySign) {
			return foreign(req)
		}
		good := goodToken
		if isTicket {
			good = goodTicket
		}
		return httpmock.NewStringResponse(200, good), nil
	}, standstill)
	got, err := c.Credential(t.Context())
	value, life, ok := granted(what, body, status)
	if err != nil {
		if what == replyToken { // which nobody has heard of yet
			requireHarmless(t, err)
		} else {
			requireHarmless(t, err, fuzzToken)
		}
		require.False(t, ok && understood(body), "%v: %q", err, body)
		require.Zero(t, got)
		return
	}
	require.True(t, ok, "%q", body)
	want := webanklive.Credential{AccessToken: fuzzToken, SignTicket: fuzzTicket}
	if what == replyToken {
		want.AccessToken, life = value, min(life, time.Hour)
	} else {
		want.SignTicket = value
	}
	require.Equal(t, want.AccessToken, got.AccessToken)
	require.Equal(t, want.SignTicket, got.SignTicket)
	require.Empty(t, got.PreviousSignTicket)
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
