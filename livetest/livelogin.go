// The browser host: the link that opens a check, the page the person sees, and the way back to the partner.

package livetest

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxUpload bounds what the page may post.
const maxUpload = 256 << 20

// order is one check: launched, then finished, once each. Platform.mu guards it.
type order struct {
	who      *partner
	number   string
	callback string
	direct   bool // resultType=1: no result page
	done     bool // the page reported, be it a result or not
	hasValue bool // there is something for getLiveResult
	finished time.Time
	person   Person
}

// frontEnd are the codes that the page returns by itself: no check took place, nothing is signed, nothing is stored.
var frontEnd = []string{"3001", "3002", "3003", "3004", "3005", "300101"}

// liveLogin opens a link. HEAD counts as GET, because probes of links consume them too.
func (p *Platform) liveLogin(w http.ResponseWriter, r *http.Request, query url.Values) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		p.refused(LiveLogin, "method "+r.Method+" instead of GET", "405")
		page(w, http.StatusMethodNotAllowed, "405 Method Not Allowed", "")
		return
	}
	session, no := p.launch(query)
	if no != nil {
		p.refused(LiveLogin, no.reason, no.code)
		page(w, http.StatusForbidden, "签名不合法", no.reason)
		return
	}
	w.Header().Set("Permissions-Policy", "camera=(self), microphone=(self)")
	render(w, http.StatusOK, "check.html", struct {
		Session  string
		Digits   []string
		Outcomes any
	}{session, digits(), outcomes}, query.Get("url"))
}

// launch consumes the ticket behind the signature, whether or not the rest of the link is right.
func (p *Platform) launch(query url.Values) (session string, no *refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	user, number := query.Get("userId"), query.Get("orderNo")
	who, registered := p.partner(query.Get("webankAppId"))
	match := signedBy(query.Get("sign"), query.Get("webankAppId"), user, number, query.Get("version"), query.Get("nonce"))
	ticket := p.find(who.ledger.nonces[user], func(c *credential) bool { return !c.used && match(c) })
	why := ""
	if ticket == nil {
		why = p.explain(who, kindNonce, user, match)
	} else {
		ticket.used = true
	}

	no = present(query, "webankAppId", "version", "nonce", "orderNo", "url", "userId", "sign")
	if no == nil {
		no = broken(
			rule{!p.carries(who, query), codeIllegal, "the link carries a secret, token or ticket in clear"},
			rule{registered, codeUnknownApp, "webankAppId is not this platform's AppID"},
			rule{query.Get("version") == version, codeParameters, "version is not " + version},
			rule{isNonce(query.Get("nonce")), codeBadArgument, "nonce is not 32 letters and digits"},
			rule{isOrderNo(number), codeBadOrder, "orderNo is not 1 to 32 letters and digits"},
			rule{isUserID(user), codeBadArgument, "userId is not 1 to 32 of 0-9 A-Z a-z _ -"},
			rule{isWebURL(query.Get("url")), codeBadArgument, "url is not an absolute http or https URL, encoded once"},
			rule{ticket != nil, codeIllegal, why},
			rule{who.orders[number] == nil, codeBadOrder, fmt.Sprintf("order number %q was used before", number)},
		)
	}
	if no != nil {
		return "", no
	}
	o := &order{who: who, number: number, callback: query.Get("url"), direct: query.Get("resultType") == "1"}
	session = random(32)
	p.remember(session, o)
	return session, nil
}

// remember keeps o, and forgets the oldest when there are too many.
func (p *Platform) remember(session string, o *order) {
	o.who.orders[o.number], p.sessions[session] = o, o
	if p.launched = append(p.launched, session); len(p.launched) <= maxLaunched {
		return
	}
	oldest := p.sessions[p.launched[0]]
	delete(p.sessions, p.launched[0])
	if orders := oldest.who.orders; orders[oldest.number] == oldest { // else AddResult replaced it
		delete(orders, oldest.number)
	}
	p.launched = p.launched[1:]
}

func isWebURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// finish takes what the page reports: session, code, liveRate, photo, video as a form, urlencoded or multipart. With the
// field sample a passed check without media gets the built-in ones; a field other that is not empty replaces the code. It
// answers with the result page, or sends the browser straight back when the link said resultType=1. The page's script
// accepts JSON and does either by itself.
func (p *Platform) finish(w http.ResponseWriter, r *http.Request, _ url.Values) {
	if r.Method != http.MethodPost {
		p.refused(finish, "method "+r.Method+" instead of POST", "405")
		page(w, http.StatusMethodNotAllowed, "405 Method Not Allowed", "")
		return
	}
	form, err := readForm(http.MaxBytesReader(w, r.Body, maxUpload), r.Header.Get("Content-Type"))
	if err != nil {
		p.refused(finish, "the form is unreadable", "400")
		page(w, http.StatusBadRequest, "400 Bad Request", err.Error())
		return
	}
	person := Person{Code: string(form["code"]), LiveRate: string(form["liveRate"]), Photo: form["photo"], Video: form["video"]}
	if other := form["other"]; len(other) > 0 {
		person.Code = string(other)
	}
	if form["sample"] != nil && person.Code == codePassed {
		sample := Passing()
		if len(person.Photo) == 0 {
			person.Photo = sample.Photo
		}
		if len(person.Video) == 0 {
			person.Video = sample.Video
		}
	}
	o, back, no := p.conclude(string(form["session"]), person)
	scripted := r.Header.Get("Accept") == "application/json"
	switch {
	case no != nil && scripted:
		p.refused(finish, no.reason, no.code)
		reply(w, http.StatusForbidden, map[string]string{"reason": no.reason})
	case scripted:
		reply(w, http.StatusOK, map[string]any{"callback": back, "direct": o.direct, "passed": person.Code == codePassed})
	case no != nil:
		p.refused(finish, no.reason, no.code)
		page(w, http.StatusForbidden, "403 Forbidden", no.reason)
	case o.direct:
		w.Header().Set("Location", back)
		page(w, http.StatusSeeOther, "303 See Other", "")
	default:
		render(w, http.StatusOK, "result.html", struct {
			Passed bool
			Code   string
			Back   template.URL // http or https, checked when the link was opened
		}{person.Code == codePassed, person.Code, template.URL(back)}, "") //nolint:gosec // see above
	}
}

func (p *Platform) conclude(session string, person Person) (o *order, back string, no *refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o = p.sessions[session]
	if no := broken(
		rule{o != nil, "403", "there is no such session"},
		rule{o == nil || !o.done, "403", "the session is over"},
		rule{person.Code != "", "403", "the page reported no code"},
	); no != nil {
		return nil, "", no
	}
	o.done = true
	query := p.callbackQuery(o.who, o.number, person.Code, person.LiveRate)
	if slices.Contains(frontEnd, person.Code) {
		query.Del("newSignature")
		query.Del("signature")
	} else {
		o.store(person, p.Now())
	}
	return o, callbackURL(o.callback, query), nil
}

func (o *order) store(person Person, now time.Time) {
	o.done, o.hasValue, o.person, o.finished = true, true, person, now
}

// callbackQuery signs with the SIGN ticket that the platform holds; without one there is no signature.
func (p *Platform) callbackQuery(who *partner, orderNo, code, liveRate string) url.Values {
	query := url.Values{"code": {code}, "orderNo": {orderNo}}
	if liveRate != "" {
		query.Set("liveRate", liveRate)
	}
	if held := p.heldSign(who); held != nil {
		query.Set("newSignature", sign(who.appID, orderNo, held.value, code))
		query.Set("signature", sign(who.appID, orderNo, held.value)) // of three values, from before 2018
	}
	return query
}

// callbackURL appends query in the vendor's order, with the vendor's && before newSignature, and ahead of a fragment.
func callbackURL(base string, query url.Values) string {
	base, fragment, hasFragment := strings.Cut(base, "#")
	var b strings.Builder
	b.WriteString(base)
	separator := "?"
	if strings.Contains(base, "?") {
		separator = "&"
	}
	for _, name := range []string{"code", "orderNo", "liveRate", "newSignature", "signature"} {
		if !query.Has(name) {
			continue
		}
		if name == "newSignature" {
			separator = "&&"
		}
		b.WriteString(separator + name + "=" + url.QueryEscape(query.Get(name)))
		separator = "&"
	}
	if hasFragment {
		b.WriteString("#" + fragment)
	}
	return b.String()
}

// readForm reads a whole form into memory, files like values.
func readForm(body io.Reader, contentType string) (map[string][]byte, error) {
	form := map[string][]byte{}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, fmt.Errorf("content type: %w", err)
	}
	if kind != "multipart/form-data" {
		text, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		values, err := url.ParseQuery(string(text))
		for name := range values {
			form[name] = []byte(values.Get(name))
		}
		return form, err
	}
	parts := multipart.NewReader(body, params["boundary"])
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		if form[part.FormName()], err = io.ReadAll(part); err != nil {
			return nil, err
		}
	}
}
