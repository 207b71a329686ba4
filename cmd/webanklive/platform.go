package main

// Which platform a command uses, the vendor's or a fake, and through which proxy.

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

// vendorHosts are the hosts that the vendor's pages name, also for other products than this check.
var vendorHosts = []string{
	"idasc.webank.com", "ida.webank.com", "kyc.qcloud.com", "kyc1.qcloud.com", "miniprogram-kyc.tencentcloudapi.com",
}

// platform is what launch and result print about the platform. Its JSON is part of theirs.
type platform struct {
	Fake  bool   `json:"fake"`            // not the vendor's: its decision about a person proves nothing
	Proxy string `json:"proxy,omitempty"` // between this command and the API

	url string // the base URL that is not the vendor's, else that of the API
}

// platform looks at the base URL of the API and, with pages, at that of the pages, to which a browser is sent.
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

// String is empty for the vendor's platform without a proxy, about which there is nothing to say.
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

// tell prints it on standard error, for people.
func (a *app) tell(p platform) {
	if text := p.String(); text != "" && !a.json {
		a.note("The platform is %s.", text)
	}
}

// proxyFor returns the proxy for base without its password, empty if there is none. It returns empty for a proxy that is no
// URL, too: the request itself fails then.
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
