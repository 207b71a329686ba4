package main

// Whom a command talks to: the vendor or a fake, and through which proxy.

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	vendorAPIURL = "https://idasc.webank.com"
	vendorH5URL  = "https://ida.webank.com"
)

// vendorHosts are those that the vendor's pages name, of the flows beside this one, too.
var vendorHosts = []string{
	"idasc.webank.com", "ida.webank.com", "kyc.qcloud.com", "kyc1.qcloud.com", "miniprogram-kyc.tencentcloudapi.com",
}

// platform is what launch and result say of it; its JSON is part of theirs.
type platform struct {
	Fake  bool   `json:"fake"`            // not the vendor's: what it says of a person proves nothing
	Proxy string `json:"proxy,omitempty"` // between this command and the API

	url string // the one that is not the vendor's, or the API's
}

// platform looks at the API, and at the pages if a browser is sent there.
func (a *app) platform(cfg *config, pages bool) platform {
	p := platform{Proxy: a.proxyFor(cfg.apiURL), Fake: !isVendors(cfg.apiURL), url: cfg.apiURL}
	if pages && !p.Fake && !isVendors(cfg.h5URL) {
		p.Fake, p.url = true, cfg.h5URL
	}
	return p
}

func isVendors(base string) bool {
	u, err := url.Parse(base)
	return err == nil && slices.Contains(vendorHosts, strings.TrimSuffix(strings.ToLower(u.Hostname()), "."))
}

// String is empty where there is nothing to say: the vendor's, asked directly.
func (p platform) String() string {
	switch {
	case p.Fake && p.Proxy != "":
		return "a fake, not the vendor's: " + p.url + ", through the proxy " + p.Proxy
	case p.Fake:
		return "a fake, not the vendor's: " + p.url
	case p.Proxy != "":
		return p.url + ", through the proxy " + p.Proxy
	}
	return ""
}

// tell says it where no answer does.
func (a *app) tell(p platform) {
	if text := p.String(); text != "" && !a.json {
		a.note("The platform is %s.", text)
	}
}

// proxyFor returns the proxy on the way to base without its password, empty if there is none. Of one that is set but is no
// URL the request itself complains.
func (a *app) proxyFor(base string) string {
	find := a.proxy
	if find == nil {
		if a.transport != nil {
			return ""
		}
		find = http.ProxyFromEnvironment
	}
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	proxy, err := find(&http.Request{URL: u})
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Scheme + "://" + proxy.Host
}
