package main

// doctor, the network part: the API's host, its certificate, its clock.

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"time"
)

const (
	networkTimeout = 10 * time.Second // leaves time for the other checks
	clockLimit     = 5 * time.Second
	expiresSoon    = 14 * 24 * time.Hour
)

// network requests the root page of the API host. Any reply shows that the host can be reached, and has the platform's time.
func (d *doctor) network(ctx context.Context, cfg *config, proxy string) {
	ctx, cancel := context.WithTimeout(ctx, networkTimeout)
	defer cancel()
	if proxy != "" {
		proxy = " through the proxy " + proxy
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.apiURL+"/", nil)
	if err != nil {
		d.add(nameHost, checkFailed, "the URL cannot be asked")
		d.skip("the API host", nameTLS, nameClock)
		return
	}
	client := &http.Client{Transport: d.app.transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	sent := time.Now()
	res, err := client.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which the line of the configuration has
		}
		d.add(nameHost, checkFailed, "no answer%s: %v", proxy, err)
		d.skip("the API host", nameTLS, nameClock)
		return
	}
	_ = res.Body.Close()
	took := time.Since(sent)
	d.add(nameHost, checkOK, "%s answers%s in %s", req.URL.Host, proxy, took.Round(time.Millisecond))
	d.tls(res.TLS)
	d.clock(res.Header.Get("Date"), sent.Add(took/2))
}

func (d *doctor) tls(state *tls.ConnectionState) {
	if state == nil {
		d.add(nameTLS, checkSkipped, "the connection is not encrypted, which is for this machine only")
		return
	}
	expires := state.PeerCertificates[0].NotAfter
	status := checkOK
	if time.Until(expires) < expiresSoon {
		status = checkWarning
	}
	d.add(nameTLS, status, "%s, the certificate expires on %s", tls.VersionName(state.Version), expires.Format(time.DateOnly))
}

// clock compares the platform's time with local, the middle of the request. The header has whole seconds, rounded down.
func (d *doctor) clock(date string, local time.Time) {
	platform, err := http.ParseTime(date)
	if err != nil {
		d.add(nameClock, checkSkipped, "the platform sent no time")
		return
	}
	skew := local.Sub(platform.Add(time.Second / 2)).Round(time.Second)
	switch {
	case skew.Abs() <= clockLimit:
		d.add(nameClock, checkOK, "as the platform's")
	case skew > 0:
		d.add(nameClock, checkWarning, "%s ahead of the platform's; tickets do not depend on it, logs do", skew)
	default:
		d.add(nameClock, checkWarning, "%s behind the platform's; tickets do not depend on it, logs do", -skew)
	}
}
