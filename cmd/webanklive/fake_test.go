package main

// Whom the command talks to.

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestFake_ResultAndLaunchSayIt(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.AddResult("passed1", livetest.Passing())
	srv.AddResult("failed1", livetest.Failing("-5016"))
	b := newBench(t, srv)
	said := "a fake, not the vendor's: " + srv.APIURL
	for _, order := range []string{"passed1", "failed1", "missing1"} {
		o := b.run(t, "result", order)
		if order == "missing1" {
			assert.Equal(t, 1, strings.Count(o.errOut, said), o.errOut)
		} else {
			assert.Contains(t, o.out, "\nplatform "+said+"\n", "beside the verdict, also in a pipe")
		}
		assert.Equal(t, true, b.run(t, "result", order, "--json").object(t)["fake"], order)
	}
	launch := []string{"launch", "--user", "u1", "--callback", "https://shop.example/done"}
	o := b.run(t, launch...)
	assert.Contains(t, o.errOut, said)
	assert.Equal(t, 1, strings.Count(o.out, "\n"), "the link is alone")
	launch[2] = "u2"
	assert.Equal(t, true, b.run(t, append(launch, "--json")...).object(t)["fake"])
	launch[2] = "u 3"
	o = b.run(t, launch...)
	assert.NotZero(t, o.exit)
	assert.Contains(t, o.errOut, said)
}

func TestFake_TheVendorIsNone(t *testing.T) {
	t.Parallel()
	p := livetest.New()
	p.AddResult("order1", livetest.Passing())
	vendors := bench{transport: toVendor{p.Transport()}, env: map[string]string{"WEBANK_APP_ID": p.AppID(), "WEBANK_SECRET": p.Secret()}}
	o := vendors.run(t, "result", "order1", "--mint")
	require.Zero(t, o.exit, o.errOut)
	assert.NotContains(t, o.out+o.errOut, "fake")
	assert.Equal(t, false, vendors.run(t, "result", "order1", "--mint", "--json").object(t)["fake"])

	for base, want := range map[string]bool{
		"https://idasc.webank.com": true, "https://IDASC.webank.com.": true, "https://idasc.webank.com:443/x": true, "https://kyc1.qcloud.com": true,
		"https://idasc.webank.com.evil.example": false, "https://webank.com": false, "https://x.idasc.webank.com": false, "http://127.0.0.1:80": false,
		"https://idasc.webank.com@evil.example": false,
	} {
		assert.Equal(t, want, isVendors(base), base)
	}
	pages := (&app{}).platform(&config{apiURL: vendorAPIURL, h5URL: "https://pages.example"}, true)
	assert.Equal(t, platform{Fake: true, url: "https://pages.example"}, pages)
}

// toVendor takes what is meant for the vendor's API host to a platform in memory.
type toVendor struct{ http.RoundTripper }

func (v toVendor) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	memory, _ := url.Parse(livetest.MemoryAPIURL)
	r.URL.Scheme, r.URL.Host, r.URL.Path = memory.Scheme, memory.Host, memory.Path+r.URL.Path
	return v.RoundTripper.RoundTrip(r)
}

func TestProxy_IsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	b, p := remoteBench(t)
	p.AddResult("order1", livetest.Passing())
	b.proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://user:GEHEIM@proxy.corp:3128") }
	for _, args := range [][]string{
		{"result", "order1"}, {"result", "missing1"}, {"launch", "--user", "u1", "--callback", "https://shop.example/"}, {"doctor"},
	} {
		o := b.run(t, append(args, "--mint")...)
		assert.Contains(t, o.out+o.errOut, "through the proxy http://proxy.corp:3128", args)
		assert.NotContains(t, o.out+o.errOut, "GEHEIM")
		if args[0] == "result" {
			assert.Equal(t, "http://proxy.corp:3128", b.run(t, append(args, "--mint", "--json")...).object(t)["proxy"])
		}
	}
	only := platform{Proxy: "http://proxy.corp:3128", url: vendorAPIURL}
	assert.Equal(t, "https://idasc.webank.com, through the proxy http://proxy.corp:3128", only.String())
	assert.Empty(t, platform{url: vendorAPIURL}.String())
}
