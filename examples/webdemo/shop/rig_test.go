package shop_test

// A shop with a platform, and browsers without scripts.

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/examples/webdemo/shop"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/livetest"
)

// market is a shop with its platform.
type market struct {
	t        *testing.T
	platform *livetest.Server
	shop     *shop.Shop
	url      string
	log      *logtest.Log
}

func newMarket(t *testing.T, change func(*shop.Config)) *market {
	t.Helper()
	m := &market{t: t, platform: livetest.NewServer(t), log: &logtest.Log{}}
	m.platform.SetMarker("SECRETMARKER")
	server := httptest.NewUnstartedServer(nil)
	m.url = "http://" + server.Listener.Addr().String()
	cfg := shop.Config{
		Client: clienttest.NewClient(t, m.platform, webanklive.WithMaxRetries(0)), PublicURL: m.url, H5URL: m.platform.H5URL, Fake: true, Log: slog.New(slog.NewTextHandler(m.log, nil)),
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	m.shop, err = shop.New(cfg)
	require.NoError(t, err)
	server.Config.Handler = m.shop
	server.Start()
	t.Cleanup(func() {
		server.Close()
		m.shop.Close()
	})
	return m
}

// customer is a browser that follows no redirect by itself.
type customer struct {
	*market
	client *http.Client
	agent  string
	header string // one that a proxy adds
}

func (m *market) customer() *customer {
	jar, err := cookiejar.New(nil)
	require.NoError(m.t, err)
	return &customer{market: m, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (c *customer) send(method, address string, form url.Values) (*http.Response, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, address, strings.NewReader(form.Encode()))
	require.NoError(c.t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", c.agent)
	if c.header != "" {
		req.Header.Set(c.header, "203.0.113.7")
	}
	res, err := c.client.Do(req)
	require.NoError(c.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return res, string(body)
}

func (c *customer) get(address string) (*http.Response, string) {
	c.t.Helper()
	return c.send(http.MethodGet, address, nil)
}

func (c *customer) token() string {
	c.t.Helper()
	_, page := c.get(c.url + "/")
	found := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
	require.NotNil(c.t, found)
	return found[1]
}

func (c *customer) start(token string) *http.Response {
	c.t.Helper()
	res, _ := c.send(http.MethodPost, c.url+"/liveness/start", url.Values{"token": {token}})
	return res
}

// launch starts a check and returns its link and order number.
func (c *customer) launch() (link, number string) {
	c.t.Helper()
	res := c.start(c.token())
	require.Equal(c.t, http.StatusSeeOther, res.StatusCode)
	u, err := res.Location()
	require.NoError(c.t, err)
	return u.String(), u.Query().Get("orderNo")
}

// check takes one check up to the callback.
func (c *customer) check(person livetest.Person) (number, back string) {
	c.t.Helper()
	link, number := c.launch()
	back, err := c.platform.Visit(c.t.Context(), link, person)
	require.NoError(c.t, err)
	return number, back
}

var stageField = regexp.MustCompile(`data-stage="(\w+)"`)

func (c *customer) stage(number string) string {
	c.t.Helper()
	_, page := c.get(c.url + "/liveness/" + number)
	if m := stageField.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

func (c *customer) becomes(number, want string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return c.stage(number) == want }, 40*time.Second, 20*time.Millisecond, "never %s", want)
}
