// The rig speaks the protocol by hand: every test starts from a valid request and breaks one thing.

package livetest_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

const nonce = "kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T"

// rig is a partner of one platform.
type rig struct {
	*livetest.Platform
	t       *testing.T
	client  *http.Client
	api, h5 string
}

func overHTTP(t *testing.T) *rig {
	t.Helper()
	srv := livetest.NewServer(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &rig{srv.Platform, t, plain(transport), srv.APIURL, srv.H5URL}
}

func inMemory(t *testing.T) *rig {
	t.Helper()
	p := livetest.New()
	return &rig{p, t, plain(p.Transport()), livetest.MemoryAPIURL, livetest.MemoryH5URL}
}

func plain(rt http.RoundTripper) *http.Client {
	return &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// eachWay runs a test over a socket and over the in-memory transport.
func eachWay(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T) *rig{"http": overHTTP, "memory": inMemory} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// reply is what came of a request, err of either sending it or reading the body.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r *rig) do(ctx context.Context, method, address string) reply {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return reply{err: err}
	}
	res, err := r.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, string(body), err}
}

// get expects some reply.
func (r *rig) get(address string) reply {
	r.t.Helper()
	got := r.do(r.t.Context(), http.MethodGet, address)
	require.NoError(r.t, got.err)
	return got
}

const (
	tokenPath  = "/api/oauth2/access_token"
	ticketPath = "/api/oauth2/api_ticket"
	resultPath = "/api/server/getLiveResult"
)

// call sends a GET to the API host and decodes the reply.
func (r *rig) call(path string, query url.Values) map[string]any {
	r.t.Helper()
	body := r.get(r.api + path + "?" + query.Encode()).body
	var object map[string]any
	require.NoError(r.t, json.Unmarshal([]byte(body), &object), "%s", body)
	return object
}

// code is call for those who want only the code.
func (r *rig) code(path string, query url.Values) any {
	r.t.Helper()
	return r.call(path, query)["code"]
}

// broken is one thing wrong with a request, and what the platform answers and notes.
type broken struct{ name, value, code, reason string }

func (r *rig) refusesEach(path string, valid url.Values, all []broken) {
	r.t.Helper()
	for _, b := range all {
		assert.Equal(r.t, b.code, r.code(path, with(valid, b.name, b.value)), b)
		refusals := r.Refusals()
		require.NotEmpty(r.t, refusals)
		assert.Contains(r.t, refusals[len(refusals)-1], b.reason)
	}
}

// with returns a copy of query with name set to values, or without name if the first is empty.
func with(query url.Values, name string, values ...string) url.Values {
	changed := maps.Clone(query)
	delete(changed, name)
	if len(values) > 0 && values[0] != "" {
		changed[name] = values
	}
	return changed
}

func (r *rig) tokenQuery() url.Values {
	return url.Values{"app_id": {r.AppID()}, "secret": {r.Secret()}, "grant_type": {"client_credential"}, "version": {"1.0.0"}}
}

func (r *rig) tokenURL() string { return r.api + tokenPath + "?" + r.tokenQuery().Encode() }

func (r *rig) token() string {
	r.t.Helper()
	got := r.call(tokenPath, r.tokenQuery())
	require.Contains(r.t, got, "access_token")
	return got["access_token"].(string)
}

func (r *rig) ticketQuery(token, kind, user string) url.Values {
	q := url.Values{"app_id": {r.AppID()}, "access_token": {token}, "type": {kind}, "version": {"1.0.0"}}
	if user != "" {
		q.Set("user_id", user)
	}
	return q
}

func (r *rig) ticket(token, kind, user string) string {
	r.t.Helper()
	return r.ticketOf(r.ticketQuery(token, kind, user))["value"].(string)
}

func (r *rig) ticketOf(query url.Values) map[string]any {
	r.t.Helper()
	got := r.call(ticketPath, query)
	require.Contains(r.t, got, "tickets", "%v", got)
	return got["tickets"].([]any)[0].(map[string]any)
}

// mint returns a new token, and a SIGN ticket of it.
func (r *rig) mint() (token, sign string) {
	r.t.Helper()
	token = r.token()
	return token, r.ticket(token, "SIGN", "")
}

func (r *rig) linkQuery(ticket, user, orderNo string) url.Values {
	return url.Values{
		"webankAppId": {r.AppID()}, "version": {"1.0.0"}, "nonce": {nonce}, "orderNo": {orderNo},
		"url": {"https://shop.example/done"}, "userId": {user},
		"sign": {livetest.Sign(r.AppID(), user, orderNo, "1.0.0", ticket, nonce)},
	}
}

func (r *rig) link(query url.Values) string { return r.h5 + "/api/web/livelogin?" + query.Encode() }

// launch returns the query of a valid link for a new user.
func (r *rig) launch(token, user, orderNo string) url.Values {
	r.t.Helper()
	return r.linkQuery(r.ticket(token, "NONCE", user), user, orderNo)
}

// open visits the page, which must answer with status, and returns why the platform refused it.
func (r *rig) open(status int, link string) (why string) {
	r.t.Helper()
	before := len(r.Refusals())
	got := r.get(link)
	why = strings.Join(r.Refusals()[before:], "; ")
	assert.Equal(r.t, status, got.status, why)
	return why
}

func (r *rig) resultQuery(ticket, orderNo, getFile string) url.Values {
	q := url.Values{
		"app_id": {r.AppID()}, "version": {"1.0.0"}, "nonce": {nonce}, "order_no": {orderNo},
		"sign": {livetest.Sign(r.AppID(), orderNo, "1.0.0", ticket, nonce)},
	}
	if getFile != "" {
		q.Set("get_file", getFile)
	}
	return q
}

// result asks for the result of an order with photo and video.
func (r *rig) result(ticket, orderNo string) map[string]any {
	r.t.Helper()
	return r.call(resultPath, r.resultQuery(ticket, orderNo, "1"))
}
