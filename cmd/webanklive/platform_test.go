package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/webanklive/webanklive/livetest"
)

func TestPlatform_ResultAndLaunchSayThatItIsAFake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	said := "a fake, not the vendor's: " + b.srv.APIURL
	for order, exit := range map[string]int{"passed1": exitDone, "failed1": exitNo, "missing1": exitNotReady} {
		o := b.run(t, exit, "result", order)
		if order == "missing1" {
			assert.Equal(t, 1, strings.Count(o.errOut, said), o.errOut)
		} else {
			assert.Contains(t, o.out, "\nplatform "+said+"\n", "beside the verdict, also in a pipe")
		}
		assert.Equal(t, true, b.run(t, exit, "result", order, "--json").object(t)["fake"], order)
	}
	launch := func(user string) []string {
		return []string{"launch", "--callback", "https://shop.example/done", "--user", user}
	}
	o := b.run(t, exitDone, launch("u1")...)
	assert.Contains(t, o.errOut, said)
	assert.Equal(t, 1, strings.Count(o.out, "\n"), "the link is alone")
	assert.Equal(t, true, b.run(t, exitDone, append(launch("u2"), "--json")...).object(t)["fake"])
	assert.Contains(t, b.run(t, exitUsage, launch("u 3")...).errOut, said)
}

func TestPlatform_TheVendorIsNoFake(t *testing.T) {
	t.Parallel()
	b, p := remoteBench()
	b = b.with("WEBANK_API_URL", "").with("WEBANK_H5_URL", "")
	b.transport = toVendor{p.Transport()}
	o := b.run(t, exitDone, "result", "passed1", "--mint")
	assert.NotContains(t, o.out+o.errOut, "fake")
	assert.Equal(t, false, b.run(t, exitDone, "result", "passed1", "--mint", "--json").object(t)["fake"])

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
	memory, err := url.Parse(livetest.MemoryAPIURL)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.URL.Path = memory.Scheme, memory.Host, memory.Path+r.URL.Path
	return v.RoundTripper.RoundTrip(r)
}

func TestPlatform_ProxyIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	b, _ := remoteBench()
	b.proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://user:GEHEIM@proxy.corp:3128") }
	for line, exit := range map[string]int{
		"result passed1": exitDone, "result missing1": exitNotReady, "launch --user u1 --callback https://shop.example/": exitDone, "doctor": exitDone,
	} {
		args := append(strings.Fields(line), "--mint")
		o := b.run(t, exit, args...)
		assert.Contains(t, o.out+o.errOut, "through the proxy http://proxy.corp:3128", args)
		assert.NotContains(t, o.out+o.errOut, "GEHEIM")
		if args[0] == "result" {
			assert.Equal(t, "http://proxy.corp:3128", b.run(t, exit, append(args, "--json")...).object(t)["proxy"])
		}
	}
	only := platform{Proxy: "http://proxy.corp:3128", url: vendorAPIURL}
	assert.Equal(t, "https://idasc.webank.com, through the proxy http://proxy.corp:3128", only.String())
	assert.Empty(t, platform{url: vendorAPIURL}.String())
}
