package main

// doctor: checks of all that a first launch needs, one line each.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/webanklive/webanklive"
)

const doctorHelp = `Examines the configuration, the way to the platform, the clock, the credential store and the credential: who may read
a file store, what kind of Redis there is, and whether its user may do what the store does, which it tries with a key of its
own. It asks for one NONCE ticket, for the user "doctor".

A credential from the store says nothing about the secret: with a wrong one everything works until the next refresh.
--refresh makes a new credential now, under the lock of the store, which the fleet takes over with no call refused, and so
proves the secret; at most once a minute. Without it doctor says that the secret is not proved, and is content.

Without a store it does not touch the credential, unless --mint is given; the other checks are done all the same.

Exit codes for scripts:

  0    no check failed; warnings, and a secret that is not proved without --refresh, are no failure
  1    a check failed
  2    the credential was not checked, because there is no store; or wrong usage
  4    --refresh came too soon after another one: in a minute
  130  interrupted

With --json "ok" is true where the exit code is 0.`

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
	var refresh bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine configuration, network, clock, store and credential",
		Long:  doctorHelp,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := a.within(cmd.Context(), usualTimeout)
			defer cancel()
			d := &doctor{app: a, refresh: refresh}
			d.examine(ctx)
			if err := cmd.Context().Err(); err != nil {
				return err
			}
			answer := doctorAnswer{OK: d.count(checkFailed, checkSkipped) == 0 && d.tooSoon == nil, Checks: d.checks}
			if err := a.print(answer, func(w io.Writer) { a.showDoctor(w, answer) }); err != nil {
				return err
			}
			switch {
			case d.count(checkFailed) > 0:
				return &failure{class: errCheckFailed, text: "a check failed", told: true}
			case d.noCredential != nil:
				return &failure{class: errUsage, text: d.noCredential.Error(), told: true}
			case d.tooSoon != nil:
				return &failure{class: webanklive.ErrThrottled, text: oneLine(d.tooSoon), told: true}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&refresh, "refresh", false, "prove the secret: make a new credential under the lock of the store")
	a.mintFlag(cmd)
	return cmd
}

type doctor struct {
	app          *app
	refresh      bool // prove the secret
	checks       []check
	noCredential error // why nothing that needs a credential was checked
	tooSoon      error // why --refresh could not
}

func (d *doctor) add(name, status, format string, args ...any) {
	d.checks = append(d.checks, check{name, status, strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")})
}

func (d *doctor) count(statuses ...string) (n int) {
	for _, c := range d.checks {
		for _, status := range statuses {
			// A sandbox over plain http has no TLS to check, and a secret is only proved with --refresh: neither counts.
			if c.Status == status && (c.Name != nameTLS && c.Name != nameSecret || status != checkSkipped) {
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
	nameOwner      = "owner"    // of a file store
	nameTopology   = "topology" // of a Redis store
	nameACL        = "ACL"      // the same
	nameSecret     = "secret"
	nameCredential = "credentials"
	nameToken      = "token"
	nameTicket     = "NONCE ticket"
)

func (d *doctor) examine(ctx context.Context) {
	cfg, err := d.app.readConfig(ctx)
	if err != nil {
		d.add(nameConfig, checkFailed, "%v", err)
		d.skip("the configuration", nameHost, nameTLS, nameClock, nameStore, nameSecret, nameCredential, nameToken, nameTicket)
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
		d.skip("the store", nameSecret, nameCredential, nameToken, nameTicket)
		return
	}
	if d.noCredential = d.app.needsMint(cfg); d.noCredential != nil {
		d.add(nameStore, checkSkipped, "none is set")
		d.add(nameSecret, checkSkipped, "not proved: %v", d.noCredential)
		d.add(nameCredential, checkSkipped, "%v", d.noCredential)
		d.skip("the credentials", nameToken, nameTicket)
		return
	}
	if d.store(ctx, cfg) {
		d.credential(ctx, client)
	} else {
		d.skip("the store", nameSecret, nameCredential, nameToken, nameTicket)
	}
}

func (d *doctor) skip(because string, names ...string) {
	for _, name := range names {
		d.add(name, checkSkipped, "because of %s", because)
	}
}

// store tries whether the store can be read, with a key that is never written. It reports whether it can.
func (d *doctor) store(ctx context.Context, cfg *config) bool {
	s := d.app.watched
	_, err := s.CredentialStore.Load(ctx, "webanklive doctor")
	switch {
	case err != nil && !errors.Is(err, webanklive.ErrNoCredential):
		d.add(nameStore, checkFailed, "%s: %s", s.name, oneLine(s.explain(err)))
		return false
	case s.name == memoryName && cfg.ownPlatform():
		d.add(nameStore, checkOK, "none, which is enough for a sandbox")
	case s.name == memoryName:
		d.add(nameStore, checkWarning, "none: a token is made for this command alone")
	default:
		d.add(nameStore, checkOK, "%s can be read", s.name)
	}
	switch {
	case s.dir != "":
		d.owner(s.dir)
	case s.redis != nil:
		d.topology(ctx, s.redis)
		d.permissions(ctx, s)
	}
	return true
}

func (d *doctor) credential(ctx context.Context, client *webanklive.Client) {
	var refused error
	if d.refresh {
		refused = client.Refresh(ctx)
	}
	if _, err := client.Credential(ctx); err != nil {
		d.secret(refused, false)
		d.add(nameCredential, checkFailed, "%s", oneLine(err))
		d.skip("the credentials", nameToken, nameTicket)
		return
	}
	_, ticketErr := client.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
		OrderNo: newOrderNo(), UserID: "doctor", CallbackURL: "https://doctor.invalid/",
	})
	// Asked again, because the platform may have refused the credential that was found, and another replaced it.
	credential, err := client.Credential(ctx)
	found, minted := d.app.watched.state()
	d.secret(refused, minted)
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

// secret adds whether the secret is proved. A credential that works does not prove it: the next refresh may be refused.
func (d *doctor) secret(refused error, minted bool) {
	switch {
	case d.refresh && refused == nil:
		d.add(nameSecret, checkOK, "proved: the platform accepted it for a new credential, under the lock of the store")
	case errors.Is(refused, webanklive.ErrThrottled):
		d.tooSoon = refused
		d.add(nameSecret, checkSkipped, "not proved: %s", oneLine(refused))
	case refused != nil:
		d.add(nameSecret, checkFailed, "not proved: %s", oneLine(refused))
	case minted:
		d.add(nameSecret, checkOK, "the platform accepted it now, for a new credential; that a refresh works is not proved without --refresh")
	default:
		d.add(nameSecret, checkSkipped, "not proved: a credential from the store works without it; --refresh proves it, under the store's lock")
	}
}

// accepted returns the text for a credential that was found and that the platform accepted for a ticket; else "".
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

// mintedAge returns the age of the stored credential as a text. Only the stored value has it.
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
