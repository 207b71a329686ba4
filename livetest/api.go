// The HTTP side of the API host: which path is which operation, the shape of an answer, and the token and ticket calls.

package livetest

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Endpoint names an operation of the platform, for Fail, Calls and Requests.
type Endpoint string

// The operations. A ticket request whose type is not NONCE counts as SignTicket; the three browser entries are all LiveLogin.
const (
	AccessToken Endpoint = "access_token"
	SignTicket  Endpoint = "api_ticket SIGN"
	NonceTicket Endpoint = "api_ticket NONCE"
	LiveLogin   Endpoint = "livelogin"
	LiveResult  Endpoint = "getLiveResult"

	finish Endpoint = "finish" // where the page reports to; not the vendor's
)

// The codes that the platform answers with, and the vendor's words for them.
const (
	codePassed      = "0"
	codeDeadToken   = "15"
	codeIllegal     = "400101" // a bad signature or a missing parameter
	codeDenied      = "400103"
	codeParameters  = "400502"
	codeTooOften    = "400504"
	codeBadOrder    = "66660000"
	codeUnknownApp  = "66660001"
	codeNoResult    = "66660011"
	codeBadArgument = "66660013"
)

func message(code string) string {
	switch code {
	case codePassed:
		return "请求成功"
	case codeDeadToken:
		return "token 过期，请重试"
	case codeIllegal, codeUnknownApp:
		return "不合法的请求"
	case codeDenied:
		return "服务器拒绝访问此接口"
	case codeParameters:
		return "请求上送版本参数错误"
	case codeTooOften:
		return "请求访问频率过高"
	case codeBadOrder:
		return "订单号参数不合法"
	case codeNoResult:
		return "无此查询结果"
	case codeBadArgument:
		return "请求参数异常"
	}
	return "活体检测不通过"
}

var (
	isUserID  = regexp.MustCompile(`^[0-9A-Za-z_-]{1,32}$`).MatchString
	isOrderNo = regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`).MatchString
	isNonce   = regexp.MustCompile(`^[0-9A-Za-z]{32}$`).MatchString
)

// ServeHTTP answers one request; it makes a Platform an http.Handler.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.asset(w, r) {
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	endpoint, handler := p.route(r.URL.Path, query)
	if handler == nil {
		p.refused(Endpoint(r.Method), r.URL.Path+" is no path of the platform", "404")
		p.date(w)
		page(w, http.StatusNotFound, "404 Not Found", "")
		return
	}
	fault := p.arrived(endpoint, r, query)
	fault.serve(p, w, r, func(w http.ResponseWriter) {
		if err != nil {
			p.refused(endpoint, "the query string is malformed", "400")
			page(w, http.StatusBadRequest, "400 Bad Request", "")
			return
		}
		handler(w, r, query)
	})
}

func (p *Platform) route(path string, query url.Values) (Endpoint, func(http.ResponseWriter, *http.Request, url.Values)) {
	ticket := SignTicket
	if query.Get("type") == "NONCE" {
		ticket = NonceTicket
	}
	switch path {
	case "/idasc/api/oauth2/access_token":
		return AccessToken, p.api(AccessToken, p.accessToken)
	case "/idasc/api/oauth2/api_ticket":
		return ticket, p.api(ticket, p.apiTicket)
	case "/idasc/api/server/getLiveResult":
		return LiveResult, p.api(LiveResult, p.liveResult)
	case "/ida/api/web/livelogin", "/ida/api/wx/livelogin", "/ida/api/pc/livelogin":
		return LiveLogin, p.liveLogin
	case "/ida/api/livelogin/finish":
		return finish, p.finish
	}
	return "", nil
}

// arrived notes the request and returns the sabotage that is planned for it.
func (p *Platform) arrived(e Endpoint, r *http.Request, query url.Values) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[e]++
	if p.requests[e] == nil {
		p.requests[e] = &history[Request]{}
	}
	p.requests[e].add(Request{Time: p.Now(), Method: r.Method, Path: r.URL.Path, Query: query, Header: r.Header})
	return p.nextFault(e)
}

func (p *Platform) refused(e Endpoint, reason, code string) {
	text := fmt.Sprintf("%s: %s (%s)", e, reason, code)
	p.mu.Lock()
	p.refusals.add(text)
	tell := p.onRefusal
	p.mu.Unlock()
	if tell != nil {
		tell(text)
	}
}

// refusal is why a request fails: the code is for the client, the reason for the developer.
type refusal struct{ code, reason string }

// rule is one thing that must hold.
type rule struct {
	ok           bool
	code, reason string
}

// broken returns the first rule that does not hold, or nil.
func broken(rules ...rule) *refusal {
	for _, r := range rules {
		if !r.ok {
			return &refusal{r.code, r.reason}
		}
	}
	return nil
}

// present demands each of the names once, and no name twice.
func present(query url.Values, names ...string) *refusal {
	for name, values := range query {
		if len(values) > 1 {
			return &refusal{codeIllegal, fmt.Sprintf("parameter %q is sent %d times", name, len(values))}
		}
	}
	for _, name := range names {
		if query.Get(name) == "" {
			code := codeIllegal
			if name == "version" {
				code = codeParameters
			}
			return &refusal{code, fmt.Sprintf("parameter %q is missing", name)}
		}
	}
	return nil
}

// api wraps an operation of the API host: GET only, JSON out. The operation runs with p.mu held; its reply is written
// without, because a client may read it slowly.
func (p *Platform) api(e Endpoint, operation func(url.Values) (object, *refusal)) func(http.ResponseWriter, *http.Request, url.Values) {
	return func(w http.ResponseWriter, r *http.Request, query url.Values) {
		if r.Method != http.MethodGet {
			p.refused(e, "method "+r.Method+" instead of GET", "405")
			page(w, http.StatusMethodNotAllowed, "405 Method Not Allowed", "")
			return
		}
		p.mu.Lock()
		style := p.style
		reply, no := operation(query)
		p.mu.Unlock()
		if no != nil {
			p.refused(e, no.reason, no.code)
			reply = p.envelope(style, no.code)
		}
		answer(w, http.StatusOK, style, reply)
	}
}

// envelope is the flat reply of every refusal.
func (p *Platform) envelope(s Style, code string) object {
	return object{
		{"code", s.number(code)}, {"msg", message(code)}, {"transactionTime", stamp(p.Now())}, {"success", false},
	}
}

func answer(w http.ResponseWriter, status int, s Style, reply object) {
	reply = s.decorate(reply)
	if !s.Chunked {
		var size counter
		_ = s.write(&size, reply) // a counter accepts everything
		w.Header().Set("Content-Length", strconv.FormatInt(int64(size), 10))
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	if s.Chunked {
		_ = http.NewResponseController(w).Flush() // or net/http would measure a short body itself
	}
	_ = s.write(w, reply) // fails when the client has left
}

// counter measures a reply before it is sent, so that media never lie in memory as text.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// stamp writes t as the vendor does: digits only, Beijing time.
func stamp(t time.Time) string {
	beijing := time.FixedZone("CST", 8*60*60)
	return t.In(beijing).Format("20060102150405")
}

func (p *Platform) date(w http.ResponseWriter) {
	w.Header().Set("Date", p.Now().UTC().Format(http.TimeFormat))
}

func (p *Platform) accessToken(query url.Values) (object, *refusal) {
	no := present(query, "app_id", "secret", "grant_type", "version")
	who, registered := p.partner(query.Get("app_id"))
	if no == nil {
		no = broken(
			rule{registered, codeUnknownApp, "app_id is not this platform's AppID"},
			rule{query.Get("version") == version, codeParameters, "version is not " + version},
			rule{query.Get("grant_type") == "client_credential", codeParameters, "grant_type is not client_credential"},
			rule{query.Get("secret") == who.secret, codeDenied, "the secret is wrong"},
		)
	}
	if no != nil {
		return nil, no
	}
	token := p.mintToken(who)
	p.mints.add(token.made)
	return p.oauthReply(append(object{{"access_token", token.value}}, p.expiry(token)...)), nil
}

func (p *Platform) apiTicket(query url.Values) (object, *refusal) {
	no := present(query, "app_id", "access_token", "type", "version")
	kind, user := query.Get("type"), query.Get("user_id")
	who, registered := p.partner(query.Get("app_id"))
	token := p.liveToken(who, query.Get("access_token"))
	if no == nil {
		var dead string
		if token == nil {
			dead = p.explainToken(who, query.Get("access_token"))
		}
		no = broken(
			rule{registered, codeUnknownApp, "app_id is not this platform's AppID"},
			rule{query.Get("version") == version, codeParameters, "version is not " + version},
			rule{kind == "SIGN" || kind == "NONCE", codeParameters, "type is neither SIGN nor NONCE"},
			rule{token != nil, codeDeadToken, dead},
			rule{kind != "NONCE" || user != "", codeIllegal, `parameter "user_id" is missing`},
			rule{kind != "NONCE" || isUserID(user), codeBadArgument, "user_id is not 1 to 32 of 0-9 A-Z a-z _ -"},
		)
	}
	if no != nil {
		return nil, no
	}
	var ticket *credential
	if kind == "SIGN" {
		ticket = p.mintSign(who, token) // a user_id beside SIGN changes nothing
	} else if ticket = p.mintNonce(who, token, user); ticket == nil {
		return nil, &refusal{codeTooOften, fmt.Sprintf("user %q got a NONCE ticket less than %v ago", user, nonceInterval)}
	}
	return p.oauthReply(object{{"tickets", list{append(object{{"value", ticket.value}}, p.expiry(ticket)...)}}}), nil
}

func (p *Platform) explainToken(who *partner, value string) string {
	all := who.ledger.all.items
	i := slices.IndexFunc(all, func(c *credential) bool { return c.value == value })
	switch {
	case i < 0:
		return "the access token is none of this platform's"
	case all[i].kind != kindToken:
		return "a " + all[i].kind + " was sent as access token"
	}
	return fmt.Sprintf("the access token is dead: made %v ago, ended %v ago", p.since(all[i].made), p.since(all[i].expires))
}

// expiry writes how long c lives. The number decides, the time is for people.
func (p *Platform) expiry(c *credential) object {
	seconds := strconv.FormatInt(int64(c.expires.Sub(c.made)/time.Second), 10)
	return object{{"expire_time", stamp(c.expires)}, {"expire_in", p.style.number(seconds)}}
}

func (p *Platform) oauthReply(fields object) object {
	reply := append(object{
		{"code", p.style.number(codePassed)}, {"msg", message(codePassed)}, {"transactionTime", stamp(p.Now())},
	}, fields...)
	if p.style.Numbers {
		reply = append(reply, field{"bizSeqNo", bizSeqNo()}, field{"success", true})
	}
	return reply
}

func bizSeqNo() string { return strings.ToLower(random(32)) }
