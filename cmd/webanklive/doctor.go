package main

// doctor: everything between this machine and a first launch, one line a check.

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/webanklive/webanklive"
)

const doctorHelp = `Examines the configuration, the way to the platform, the clock, the credential store and the credential.

Without a store it does not touch the credential, unless --mint is given; the other checks are done all the same, and the
exit code is 2. It asks for one NONCE ticket, for the user "doctor".`

// The outcomes of a check.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
	checkSkipped = "not checked"
)

type check struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail"`
}

type doctorAnswer struct {
	OK     bool    `json:"ok"`
	Checks []check `json:"checks"`
}

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine configuration, network, clock, store and credential",
		Long:  doctorHelp,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.within(cmd.Context(), usualTimeout)
			defer cancel()
			d := &doctor{app: a}
			d.examine(ctx)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			answer := doctorAnswer{OK: d.count(checkFailed, checkSkipped) == 0, Checks: d.checks}
			if err := a.print(answer, func(w io.Writer) { a.showDoctor(w, answer) }); err != nil {
				return err
			}
			switch {
			case d.count(checkFailed) > 0:
				return &failure{class: errCheckFailed, text: "a check failed", told: true}
			case d.noCredential != nil:
				return &failure{class: errUsage, text: d.noCredential.Error(), told: true}
			}
			return nil
		},
	}
	a.mintFlag(cmd)
	return cmd
}

type doctor struct {
	app          *app
	checks       []check
	noCredential error // why nothing that needs a credential was checked
}

func (d *doctor) add(name, status, format string, args ...any) {
	d.checks = append(d.checks, check{name, status, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")})
}

func (d *doctor) count(statuses ...string) (n int) {
	for _, c := range d.checks {
		for _, status := range statuses {
			// A plain http sandbox has no TLS to check, which is no shortcoming.
			if c.Status == status && (c.Name != nameTLS || status != checkSkipped) {
				n++
			}
		}
	}
	return n
}

const (
	nameConfig     = "configuration"
	nameHost       = "API host"
	nameTLS        = "TLS"
	nameClock      = "clock"
	nameStore      = "store"
	nameCredential = "credentials"
	nameToken      = "token"
	nameTicket     = "NONCE ticket"
)

func (d *doctor) examine(ctx context.Context) {
	cfg, err := d.app.readConfig(ctx)
	if err != nil {
		d.add(nameConfig, checkFailed, "%v", err)
		d.skip("the configuration", nameHost, nameTLS, nameClock, nameStore, nameCredential, nameToken, nameTicket)
		return
	}
	target := d.app.platform(cfg, true)
	whose := ""
	if target.Fake {
		whose = "; a fake, not the vendor's"
	}
	d.add(nameConfig, checkOK, "app ID %s, API %s, H5 %s%s", cfg.appID, cfg.apiURL, cfg.h5URL, whose)
	d.network(ctx, cfg, target.Proxy)

	client, err := d.app.clientFor(cfg)
	if err != nil {
		d.add(nameStore, checkFailed, "%s", oneLine(err))
		d.skip("the store", nameCredential, nameToken, nameTicket)
		return
	}
	if d.noCredential = d.app.needsMint(cfg); d.noCredential != nil {
		d.add(nameStore, checkSkipped, "none is set")
		d.add(nameCredential, checkSkipped, "%v", d.noCredential)
		d.skip("the credentials", nameToken, nameTicket)
		return
	}
	if d.store(ctx, cfg) {
		d.credential(ctx, client)
	} else {
		d.skip("the store", nameCredential, nameToken, nameTicket)
	}
}

func (d *doctor) skip(because string, names ...string) {
	for _, name := range names {
		d.add(name, checkSkipped, "because of %s", because)
	}
}

const (
	networkTimeout = 10 * time.Second // leaves time for the other checks
	clockLimit     = 5 * time.Second
	expiresSoon    = 14 * 24 * time.Hour
)

// network asks the API host for its root. Whatever it answers, it is there, and tells its time.
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
			err = failed.Err // without the URL, which stands in the first line
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

// clock compares with the middle of the request. The header knows whole seconds, cut, not rounded.
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

// store reads a key that nobody writes.
func (d *doctor) store(ctx context.Context, cfg *config) bool {
	s := d.app.watched
	_, err := s.CredentialStore.Load(ctx, "webanklive doctor")
	switch {
	case err != nil && !errors.Is(err, webanklive.ErrNoCredential):
		d.add(nameStore, checkFailed, "%s: %s", s.name, oneLine(err))
		return false
	case s.name == memoryName && cfg.ownPlatform():
		d.add(nameStore, checkOK, "none, which is enough for a sandbox")
	case s.name == memoryName:
		d.add(nameStore, checkWarning, "none: a token is made for this command alone")
	default:
		d.add(nameStore, checkOK, "%s can be read", s.name)
	}
	return true
}

func (d *doctor) credential(ctx context.Context, client *webanklive.Client) {
	if _, err := client.Credential(ctx); err != nil {
		d.add(nameCredential, checkFailed, "%s", oneLine(err))
		d.skip("the credentials", nameToken, nameTicket)
		return
	}
	_, ticketErr := client.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
		OrderNo: newOrderNo(), UserID: "doctor", CallbackURL: "https://doctor.invalid/",
	})
	// Asked again: the platform may have refused what was found, and it was replaced.
	credential, err := client.Credential(ctx)
	found, minted := d.app.watched.state()
	switch {
	case err != nil:
		d.add(nameCredential, checkFailed, "%s", oneLine(err))
	case errors.Is(ticketErr, webanklive.ErrCredential):
		d.add(nameCredential, checkFailed, "%s", oneLine(ticketErr))
	case minted:
		d.add(nameCredential, checkOK, "app ID and secret are accepted; a credential was minted")
	default:
		d.add(nameCredential, checkOK, "found in the store%s", accepted(ticketErr))
	}
	d.token(credential, found, minted)
	if ticketErr != nil {
		d.add(nameTicket, checkFailed, "%s", oneLine(ticketErr))
	} else {
		d.add(nameTicket, checkOK, "the platform gives one")
	}
}

// accepted: that a credential was found does not say that it works.
func accepted(ticketErr error) string {
	if ticketErr != nil {
		return ""
	}
	return " and accepted"
}

func (d *doctor) token(c webanklive.Credential, found []byte, minted bool) {
	now := time.Now()
	age := "new"
	if !minted {
		age = mintedAge(found, now)
	}
	refresh := "refresh is due in " + roughly(c.RefreshAt.Sub(now))
	status := checkOK
	if now.After(c.RefreshAt) {
		status, refresh = checkWarning, "refresh is due since "+roughly(now.Sub(c.RefreshAt))
	}
	d.add(nameToken, status, "%s, %s, expires in %s", age, refresh, roughly(c.ExpiresAt.Sub(now)))
}

// mintedAge looks into the stored value for its age alone, which nothing else tells.
func mintedAge(stored []byte, now time.Time) string {
	var value struct {
		MintedAt time.Time `json:"minted_at"`
	}
	if json.Unmarshal(stored, &value) != nil || value.MintedAt.IsZero() {
		return "of unknown age"
	}
	return roughly(now.Sub(value.MintedAt)) + " old"
}

func roughly(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func (a *app) showDoctor(w io.Writer, answer doctorAnswer) {
	colours := map[string]string{checkOK: green, checkWarning: yellow, checkFailed: red, checkSkipped: faint}
	for _, c := range answer.Checks {
		say(w, "%s  %-13s  %s\n", a.paint(colours[c.Status], fmt.Sprintf("%-11s", c.Status)), c.Name, c.Detail)
	}
}
