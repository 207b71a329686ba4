// The rig speaks the protocol by hand: every test starts from a valid request and breaks one thing.

package livetest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

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

// do sends a request and reads the reply; err is of either.
func (r *rig) do(ctx context.Context, method, address string) (status int, header http.Header, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, res.Header, body, err
}

// call sends a GET to the API host and decodes the reply.
func (r *rig) call(path string, query url.Values) map[string]any {
	r.t.Helper()
	_, _, body, err := r.do(context.Background(), http.MethodGet, r.api+path+"?"+query.Encode())
	require.NoError(r.t, err)
	var reply map[string]any
	require.NoError(r.t, json.Unmarshal(body, &reply), "%s", body)
	return reply
}

// code is call for those who want only the code.
func (r *rig) code(path string, query url.Values) any {
	r.t.Helper()
	return r.call(path, query)["code"]
}

const (
	tokenPath  = "/api/oauth2/access_token"
	ticketPath = "/api/oauth2/api_ticket"
	resultPath = "/api/server/getLiveResult"
)

func (r *rig) tokenQuery() url.Values {
	return url.Values{"app_id": {r.AppID()}, "secret": {r.Secret()}, "grant_type": {"client_credential"}, "version": {"1.0.0"}}
}

func (r *rig) token() string {
	r.t.Helper()
	reply := r.call(tokenPath, r.tokenQuery())
	require.Contains(r.t, reply, "access_token")
	return reply["access_token"].(string)
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
	reply := r.call(ticketPath, r.ticketQuery(token, kind, user))
	require.Contains(r.t, reply, "tickets", "%v", reply)
	return reply["tickets"].([]any)[0].(map[string]any)["value"].(string)
}

func (r *rig) linkQuery(ticket, user, orderNo string) url.Values {
	return url.Values{
		"webankAppId": {r.AppID()}, "version": {"1.0.0"}, "nonce": {nonce}, "orderNo": {orderNo},
		"url": {"https://shop.example/done"}, "userId": {user},
		"sign": {livetest.Sign(r.AppID(), user, orderNo, "1.0.0", ticket, nonce)},
	}
}

func (r *rig) link(query url.Values) string { return r.h5 + "/api/web/livelogin?" + query.Encode() }

// launch returns a valid link for a new user.
func (r *rig) launch(token, user, orderNo string) string {
	r.t.Helper()
	return r.link(r.linkQuery(r.ticket(token, "NONCE", user), user, orderNo))
}

// open returns the status of a visit to the page and why the platform refused it.
func (r *rig) open(link string) (status int, why string) {
	r.t.Helper()
	before := len(r.Refusals())
	status, _, _, err := r.do(context.Background(), http.MethodGet, link)
	require.NoError(r.t, err)
	return status, strings.Join(r.Refusals()[before:], "; ")
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

func (r *rig) lastRefusal() string {
	r.t.Helper()
	all := r.Refusals()
	require.NotEmpty(r.t, all)
	return all[len(all)-1]
}

// with returns a copy of query with name set to value, or without name if value is empty.
func with(query url.Values, name string, values ...string) url.Values {
	changed := url.Values{}
	for k, v := range query {
		changed[k] = v
	}
	delete(changed, name)
	if len(values) > 0 && values[0] != "" {
		changed[name] = values
	}
	return changed
}
