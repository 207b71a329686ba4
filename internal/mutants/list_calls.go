package main

// Defects in the calls: signatures, callbacks, requests, replies, options.

var signing = []defect{
	{"values are signed in the order given", `slices.Sort(sorted)`, `slices.Sort(sorted[:0])`},
	{"sorting moves the caller's values", "var few [8]string\n\tsorted := append(few[:0], values...)", `sorted := values`},
	{"values are joined with a separator", `joined = append(joined, v...)`, `joined = append(append(joined, v...), '&')`},
	{"signatures are in lower case", `const digits = "0123456789ABCDEF"`, `const digits = "0123456789abcdef"`},
	{"random values have 31 characters", `const nonceLength = 32`, `const nonceLength = 31`},
	{"random values favour the first symbols", `if int(b) < fair &&`, `if int(b) < 256 &&`},
	{"random values are not random", `rand.Read(random[:]) //`, `_ = rand.Reader //`},
}

var callback = []defect{
	{"doubled parameters are accepted", `if len(query[name]) > 1 &&`, `if len(query[name]) > 2 &&`},
	{"a doubled newSign is accepted", `paramLiveRate, paramSignature, paramAlias}`, `paramLiveRate, paramSignature}`},
	{"the order of a callback is not compared", `case cb.OrderNo != orderNo:`, `case cb.OrderNo == "-":`},
	{"orders that differ in case are one", `case cb.OrderNo != orderNo:`, `case !strings.EqualFold(cb.OrderNo, orderNo):`},
	{"a callback for no order is checked", `broken.requireOrderNo(orderNo)`, `broken.require(true, orderNo, "")`},
	{"a code that is no number is accepted", `case !isCode(cb.Code):`, `case cb.Code == "":`},
	{"a code of any length is accepted", `len(digits) <= 16 &&`, `len(digits) <= 64 &&`},
	{"a score of any length is shown", `len(given[0]) > 32 || `, ``},
	{"a score that cannot be printed is shown", `return !unicode.IsPrint(r) }`, `return false && !unicode.IsPrint(r) }`},
	{"a score that is given twice spoils the callback", `> 1 && name != paramLiveRate {`, `> 1 {`},
	{"an order that cannot be one is another order", `case !isOrderNo(cb.OrderNo):`, `case cb.OrderNo == "-":`},
	{"a wrong signature is malformed", `Err: ErrBadSignature`, `Err: ErrMalformedCallback`},
	{"an old signature counts", `signature = alias
	}`, `signature = query.Get("signature")
	}`},
	{"newSign and newSignature may differ", `case alias != "" && !strings.EqualFold(alias, signature):`, `case alias != "" && signature == "":`},
	{"code 0 needs no signature", `case signature == "" && cb.Code == codePassed:`, `case signature == "" && cb.Code == "":`},
	{"eight bytes of a signature will do", `subtle.ConstantTimeCompare(want, sum) == 1`, `subtle.ConstantTimeCompare(want[:8], sum[:8]) == 1`},
	{"signatures are checked as if the code were 0", `cb.OrderNo, ticket, cb.Code)`, `cb.OrderNo, ticket, codePassed)`},
	{"the previous SIGN ticket is not tried", `[]string{h.SignTicket, h.previous(c.clock.now())}`, `[]string{h.SignTicket}`},
	{"an expired previous SIGN ticket is tried", `h.previous(c.clock.now())}`, `h.PreviousSignTicket}`},
	{"the store is not read again for a signature", `c.credential.reread(ctx); err`, `c.credential.get(ctx); err`},
}

var ticket = []defect{
	{"400504 is waited out for one second", `nonceGap = 2 * time.Second`, `nonceGap = 1 * time.Second`},
	{"400504 is not waited out", `&& pause(ctx, nonceGap) {`, `&& pause(ctx, nonceGap) && false {`},
	{"400504 is repeated for ever", `if errors.As(err, &refused) &&`, `for errors.As(err, &refused) &&`},
	{"a SIGN ticket launches", `Type: "NONCE", UserID`, `Type: "SIGN", UserID`},
	{"a SIGN ticket is asked for as often as any call", `mint: op == opSign,`, `mint: op == opNonce,`},
}

var liveLogin = []defect{
	{"another random value is signed than sent", `l.Version, ticket, l.Nonce)`, `l.Version, ticket, c.newNonce())`},
	{"the user is not signed", `Sign(l.AppID, l.UserID, l.OrderNo,`, `Sign(l.AppID, l.OrderNo,`},
	{"half of the ticket is sent", `Nonce: c.newNonce(), OrderNo: orderNo, UserID`, `Nonce: (ticket + c.newNonce())[:32], OrderNo: orderNo, UserID`},
	{"an order number may have 33 characters", `len(s) <= 32`, `len(s) <= 33`},
	{"a user ID may have a dot", `|| b == '_' || b == '-'`, `|| b == '_' || b == '-' || b == '.'`},
	{"a callback URL may carry a password", `p.require(u.User == nil, `, `p.require(u.User == nil || u.Host != "", `},
	{"a callback URL may have a code of its own", `p.require(!isCallbackParam(name), `, `p.require(name != "sign", `},
	{"WeChat gets the page for browsers", `"/api/wx/livelogin"`, `"/api/web/livelogin"`},
	{"every launch skips the result page", `if skipResultPage {`, `if skipResultPage || ticket != "" {`},
}

var result = []defect{
	{"the access token signs a query", `q.Version, h.SignTicket, q.Nonce)`, `q.Version, h.AccessToken, q.Nonce)`},
	{"the order of a reply is not compared", `if others || odd && env.code`, `if others && !others || odd && env.code`},
	{"an order that cannot be read is none", `others || odd && env.code`, `others || odd && !odd && env.code`},
	{"an order at the top alone does not count", `levels := []jsonmedia.Values{obj.Nested, obj.Top}`, `levels := []jsonmedia.Values{obj.Nested}`},
	{"a pass names no order", `case !named:`, `case false:`},
	{"a serial number stands for the order of a pass", `case !named:`, `case !env.named:`},
	{"a pass may have another app ID", `case otherApp || oddApp:`, `case (otherApp || oddApp) && false:`},
	{"an app ID has one name", `appNames   = []string{"app_id", "appId"}`, `appNames   = []string{"app_id"}`},
	{"a result that is a list is none", `case obj.NestedOdd:`, `case obj.NestedOdd && false:`},
	{"an unknown code needs no serial number", `env.named = named || env.bizSeqNo != ""`, `env.named = true`},
	{"an unknown code needs the order", `env.named = named || env.bizSeqNo != ""`, `env.named = named`},
	{"a word is a picture", `const minMedia = 64`, `const minMedia = 1`},
	{"a picture needs 65 bytes", `const minMedia = 64`, `const minMedia = 65`},
	{"a face is in the JSON", "Photo []byte `json:\"-\"`", "Photo []byte `json:\"photo\"`"},
	{"the order of a reply is looked for under one name", `orderNames = []string{"orderNo", "order_no"}`, `orderNames = []string{"orderNo"}`},
	{"media are waited for twice as long", `end := time.Now().Add(wait)`, `end := time.Now().Add(2 * wait)`},
	{"a photo that came is asked for again", `if res.PhotoSize > 0 {`, `if res.PhotoSize > 1<<40 {`},
	{"a call is repeated after media reached a writer", `want.streamed && photo.Size+video.Size > 0`, `want.streamed && photo.Size+video.Size < 0`},
	{"times are read as UTC", `8*60*60`, `0*60*60`},
	{"the result is thrown away with the media", ` || errors.Is(err, ErrMedia) && res.Code == codePassed {`, ` {`},
}

var send = []defect{
	{"the sender repeats after media were written", `e.again = !env.written && !errors.Is(err, errTooLong)`, `e.again = !errors.Is(err, errTooLong)`},
	{"code 0 with any status passes", `ok := e.HTTPStatus/100 == 2`, `ok := e.HTTPStatus != 0`},
	{"a code that nobody knows passes", "if e.Code == codePassed {\n\t\tif ok", "if _, known := LookupCode(e.Code); e.Code == codePassed || !known {\n\t\tif ok"},
	{"a token request has a verdict about a person", `case !cl.verdict && (`, `case !cl.verdict && e.Code == "" && (`},
	{"a status of 500 with an unknown code is a verdict", `case !known && (!ok || cl`, `case !known && (cl`},
	{"a gateway's own reply is a verdict", `cl.verdict && !e.named)`, `cl.verdict && e.Code == "")`},
	{"a code that proves nothing is believed", `err == nil && env.flaw == nil && env.code`, `err == nil && env.code`},
	{"broken media make a pass of a reply that proves nothing", `case broken && flaw != nil && !fault.writer:`, `case broken && false:`},
	{"a word for a code is judged", `case err == nil && flaw != nil:`, `case err == nil && flaw != nil && e.Code == codePassed:`},
	{"400504 is repeated like any throttling", `Retryable(e) && e.Code != codeNonceTooSoon`, `Retryable(e)`},
	{"refusals are repeated", `e.again && Retryable(e) && e`, `e.again && e`},
	{"messages have no bound", `c.clean(env.message, 256, cl.hide)`, `c.clean(env.message, 1<<20, cl.hide)`},
	{"what a reply grants may be in its error", `cl.hide = append(cl.hide[:len(cl.hide):len(cl.hide)], env.granted...)`, `_ = env.granted`},
}

var transport = []defect{
	{"a redirect is read like an answer", `case resp.StatusCode/100 == 3:`, `case resp.StatusCode/100 == 4 && resp.Body == nil:`},
	{"replies have no limit", `body := &replyBody{r: wire, left: limit,`, `body := &replyBody{r: wire, left: 1 << 40,`},
	{"what gzip unpacks to has no limit", `return &replyBody{r: unpacked, left: limit,`, `return &replyBody{r: unpacked, left: 1 << 40,`},
	{"gzip is not understood", `if encoding != "gzip" && encoding != "x-gzip" {`, `if encoding != "" {`},
	{"gzip by its old name is not understood", `if encoding != "gzip" && encoding != "x-gzip" {`, `if encoding != "gzip" {`},
	{"what a transport unpacked is unpacked again", `len(first) == 1 && strings.Contains(`, `len(first) == 9 && strings.Contains(`},
	{"a reply that is too long looks complete", `n, err = int(b.left), errTooLong`, `n, err = int(b.left), io.EOF`},
	{"a reply of exactly the limit is refused", `if int64(n) > b.left {`, `if int64(n) >= b.left {`},
	{"an announced flood is read", `case resp.ContentLength > limit:`, `case resp.ContentLength > limit && limit < 0:`},
	{"a transport's error is not scrubbed", `e.Err = c.harmless(broken, cl.hide)`, `e.Err = broken`},
	{"errors name the query", `target: "GET " + target.Host + target.EscapedPath()`, `target: "GET " + target.Host + target.RequestURI()`},
	{"a body may be silent for ever", "w.idle.wait()\n", "_ = w.idle\n"},
	{"a slow writer is taken for a silent platform", "w.idle.rest()\n", "_ = w.idle\n"},
	{"connections are not used again", `_, _ = io.Copy(io.Discard, io.LimitReader(wire, drainBytes))`, `_ = io.Discard`},
	{"a caller whose writer failed waits for the rest", `if !errors.As(err, &fault) || !fault.writer {`, `if !errors.As(err, &fault) || true {`},
	{"a body that drips holds a caller who has the answer", `time.AfterFunc(drainTimeout, func() { cancel(nil) })`, `time.AfterFunc(time.Hour, func() { cancel(nil) })`},
	{"silence is borne for 100 s", `idleTimeout = 10 * time.Second`, `idleTimeout = 100 * time.Second`},
	{"a reply may take 10 minutes", `callTimeout  = 30 * time.Second`, `callTimeout  = 600 * time.Second`},
	{"the end of a reply's time goes unseen in a silence", `if total <= silence {`, `if total <= silence && false {`},
	{"the idle timer is set once", `t.timer.Reset(left)`, `_ = left`},
	{"a slow writer outlasts the request", `if elapsed >= t.total {`, `if false {`},
	{"a proxy's page sets the clock", `if err == nil && resp.StatusCode/100 == 2 && isCode(env.code) {`, `if true {`},
	{"instrumentation sees the query", `public.RawQuery = ""`, `_ = public`},
	{"instrumentation chooses the host", `URL: at.target, Host: at.target.Host,`, `URL: at.target, Host: req.Host,`},
	{"instrumentation chooses the method", `Method: http.MethodGet, URL: at.target,`, `Method: req.Method, URL: at.target,`},
	{"a transport that panics ends the process", `resp, err = nil, errPanicked
		}
	}()
	public :=`, `panic("x")
		}
	}()
	public :=`},
	{"the transport is the one of the beginning", `next := c.httpClient.Transport`, `next := http.DefaultTransport`},
	{"the caller's Timeout is not kept", `timeout > 0 {`, `timeout < 0 {`},
	{"a cache may answer", `"Cache-Control": {"no-store", "no-cache"},`, ``},
	{"compression is asked for", `"Accept-Encoding": {"identity"},`, `"Accept-Encoding": {"gzip"},`},
	{"idle connections that may be dead are used again", `c.ownTransport != nil && errors.Is(err, errSilent)`, `c.ownTransport == nil && errors.Is(err, errSilent)`},
}

var instrumentation = []defect{
	{"instrumentation sees the request that was sent", `TLS: resp.TLS, Request: req,`, `TLS: resp.TLS, Request: resp.Request,`},
	{"instrumentation sees the body", `Header: http.Header{}, Body: reply, Content`, `Header: http.Header{}, Body: resp.Body, Content`},
	{"instrumentation sees where a redirect leads", `if name == "Location" {`, `if name == "Refresh" {`},
	{"instrumentation sees headers that repeat the query", `t.client.scrub(value, at.hide))`, `value)`},
	{"instrumentation sees the transport's own error", `return nil, t.client.harmless(err, at.hide)`, `return nil, err`},
	{"hooks see :path", `quiet.WroteHeaderField, quiet.Got1xxResponse = nil, nil`, `quiet.Got1xxResponse = nil`},
	{"hooks see the headers of interim replies", `quiet.WroteHeaderField, quiet.Got1xxResponse = nil, nil`, `quiet.WroteHeaderField = nil`},
	{"a body stays open when instrumentation asks twice", `if r != chosen || err != nil {`, `if err != nil {`},
}

var defaultTransport = []defect{
	{"a proxy that cannot be read is gone without", `req.URL.Scheme == "https" && ignoredProxy()`, `false`},
	{"a proxy without a host is asked", `proxy.Hostname() == "" || `, ``},
	{"a dead connection is never noticed", `&http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout}`, `&http.HTTP2Config{}`},
	{"the first address takes all the time", `&net.Dialer{Timeout: dialTimeout}`, `&net.Dialer{}`},
	{"old TLS will do", `&tls.Config{MinVersion: tls.VersionTLS12}`, `&tls.Config{MinVersion: tls.VersionTLS10}`},
}

var retry = []defect{
	{"one repeat too many", `try >= retries ||`, `try > retries ||`},
	{"a mint may be tried eleven times", `retries = min(retries, mintRetries)`, `retries = min(retries, 10)`},
	{"a log line names the order", `c.publicError(failed, cl.private)`, `failed`},
	{"a throttled call is repeated within a second", `least = max(least, throttledBackoff)`, `_ = throttledBackoff`},
	{"a status of 429 is no throttling", `|| failed.HTTPStatus == http.StatusTooManyRequests`, ``},
	{"Retry-After is not honoured", `least := failed.retryAfter`, `least := time.Duration(0)`},
	{"Retry-After of an hour is waited for", `failed.retryAfter > maxRetryAfter`, `failed.retryAfter > 24*time.Hour`},
	{"Retry-After by date is not read", `return max(at.Sub(now), 0)`, `return min(at.Sub(now), 0)`},
	{"repeats have no jitter", `return least + jitter`, `return least + 0*jitter`},
}

var redact = []defect{
	{"an error that was cleaned is no longer itself", `return errors.Is(e.err, target)`, `return e == target`},
	{"an error that was cleaned for its layout hides its type", `return !e.secret && errors.As(e.err, target)`, `return false`},
	{"the app secret is not scrubbed", `all := forms(r.appSecret)`, `all := forms("")`},
	{"the secrets of a call are not scrubbed", `text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return c.redact`, `_ = form
		}
	}
	return c.redact`},
	{"a token that was replaced is not scrubbed", `if more := len(r.newest) - rememberedSecrets; more > 0 {`, `if more := len(r.newest) - 1; more > 0 {`},
	{"tokens are remembered without a bound", `if more := len(r.newest) - rememberedSecrets; more > 0 {`, `if more := 0; more > 0 {`},
	{"part of a longer secret is left", `return len(b) - len(a)`, `return len(a) - len(b)`},
	{"a secret in small hexadecimal digits is not scrubbed", `lowerHex(url.QueryEscape(secret)), lowerHex(url.PathEscape(secret)),`, ``},
	{"control characters stay in a message", `return -1`, `return r`},
	{"a transport's error prints the URL", `for errors.As(err, &withURL) {`, `for false && errors.As(err, &withURL) {`},
	{"the cause of a context has two lines", `oneLine(text) != text {`, `oneLine(text) != text && false {`},
	{"a source's error has two lines", `line := oneLine(text)`, `line := text`},
	{"a transport's timeout looks like the caller's", `if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {`, `if errors.Is(err, context.Canceled) {`},
}

var observe = []defect{
	{"a log handler sees the end of the call's context", `ctx = context.WithoutCancel(ctx)`, `_ = ctx`},
	{"an observer that panics at the start ends the call", `if recover() != nil {
			going, ended = ctx, nil`, `if false {
			going, ended = ctx, nil`},
	{"an observer that panics at the end ends the call", `defer func() { _ = recover() }()
		ended(`, `ended(`},
	{"an observer may drop the caller's cancellation", `return observedContext{ctx, returned}, ended`, `return returned, ended`},
	{"an observer's values are lost", `if value := c.values.Value(key); value != nil {`, `if value := c.values.Value(key); value == nil {`},
	{"a call that panics is a success", `*ctx, *err = going, errUnfinished`, `*ctx = going`},
	{"an observer sees the platform's message", `quiet.Message, quiet.BizSeqNo = "", public(ours.BizSeqNo)`, `quiet.BizSeqNo = public(ours.BizSeqNo)`},
	{"an observer sees the order", `text = strings.ReplaceAll(text, p, "***")`, `text = strings.TrimSuffix(text, p)`},
	{"an observer sees the cause itself", `quiet.Err = &publicError{public(ours.Err.Error()), ours.Err}`, `_ = ours.Err`},
	{"every code is a label", `if _, known := LookupCode(o.Code); !known && o.Code != "" {`, `if false {`},
	{"a log handler that panics ends the process", `		defer func() { _ = recover() }()
		if h.next`, `		if h.next`},
	{"a log handler that hangs wedges the call", `case <-time.After(time.Second):`, `case <-time.After(time.Hour):`},
}

var reply = []defect{
	{"a failure beside a nested pass is a pass", `case text == "" && !field.Odd: // absent`, `case text == "" && !field.Odd || code == codePassed: // absent`},
	{"a word beside a 0 is left out", `case flaw == nil:
			code, flaw`, `case code == "":
			code, flaw`},
	{"a code that is an object is none", `case text == "" && !field.Odd: // absent`, `case text == "": // absent`},
	{"any word is a code", `case flaw == nil:
			code, flaw = text, errBadCode`, `case flaw == nil:
			code = text`},
	{"texts are not trimmed", `text := strings.TrimSpace(level.Get(name)); text != ""`, `text := level.Get(name); text != ""`},
	{"a ticket reply's code is the ticket's", `env = readEnvelope(obj.Top)`, `env = readEnvelope(granted)`},
	{"a corrupt photo of a person who passed is no error", `errors.As(err, &broken):
		cut :=`, `errors.As(err, &broken) && broken.Err == nil:
		cut :=`},
	{"the parser's words are not told apart", `return fmt.Errorf("%w: %w", errNotJSON, err)`, `return fmt.Errorf("%w", err)`},
}

var classes = []defect{
	{"an error made of a code has no class", `if e.class == nil && e.Code != "" {`, `if e.class == nil && e.Code == "" {`},
	{"throttling is not retryable", `errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled)`, `errors.Is(err, ErrUnavailable)`},
	{"a missing result is retryable", `errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled)`, `errors.Is(err, ErrUnavailable) || errors.Is(err, ErrThrottled) || errors.Is(err, ErrNotReady)`},
	{"broken rules span lines", `strings.Join(texts, "; ")`, `strings.Join(texts, "\n")`},
}

var codes = []defect{
	{"an unknown code has no class", `return ErrNotPassed`, `return nil`},
	{"throttling counts as an outage", `ErrThrottled,`, `ErrUnavailable,`},
	{"no result counts as a refusal", `ErrNotReady,`, `ErrNotPassed,`},
	{"callers can change the catalogue", `slices.Clone(catalogue().rows)`, `slices.Clip(catalogue().rows)`},
}

var client = []defect{
	{"any secret is accepted", `{"secret", secret}} {`, `{"app ID", appID}} {`},
	{"store and source may both be set", `o.store == nil || o.source == nil`, `o.store == nil || o.source != nil`},
	{"all app IDs share one credential", `url.QueryEscape(appID) + "@" + host`, `"@" + host`},
	{"a host with a dot at the end is another host", `strings.TrimSuffix(strings.ToLower(api.Hostname()), ".")`, `strings.ToLower(api.Hostname())`},
	{"the port of https is another host", `!(api.Scheme == "https" && port == "443")`, `true`},
	{"a host in capitals is another host", `strings.ToLower(api.Hostname())`, `strings.TrimSpace(api.Hostname())`},
	{"printing a client shows the secret", `H5: %q}", c.appID,`, `H5: %q}", *c.secret,`},
}

var clientValue = []defect{
	{"a blank in the secret is accepted", `case r == ' ' || r == '\t':
		return "a blank"`, `case r == ' ' || r == '\t':
		return ""`},
	{"quotes around a secret are accepted", `note("quotes around it")`, `note("")`},
	{"quotes behind a byte order mark are not seen", `r <= ' ' || r >= 0x7F`, `r == ' '`},
	{"a byte order mark has no name", `case r == '\ufeff':`, `case r == '\ufffe':`},
	{"a zero-width blank has no name", `case strings.ContainsRune(zeroWidth, r):`, `case r == 0:`},
	{"what is not ASCII is accepted", `return "a character that is not ASCII"`, `return ""`},
}

var option = []defect{
	{"http is accepted for every host", `(u.Scheme != "http" || !isLoopback(u.Hostname()))`, `u.Scheme != "http"`},
	{"localhost.example counts as loopback", `if host == "localhost" {`, `if strings.HasPrefix(host, "localhost") {`},
	{"a base URL may carry a password", `case u.User != nil || u.RawQuery`, `case u.RawQuery`},
	{"an error repeats a base URL", `fmt.Errorf("%s must be an absolute URL", name)`, `fmt.Errorf("%s must be an absolute URL, not %s", name, raw)`},
	{"three repeats unless set", `retries:  2,`, `retries:  3,`},
	{"eleven repeats may be set", `n < 0 || n > 10`, `n < 0 || n > 11`},
	{"a limit of 0 bytes may be set", `if n <= 0 {`, `if n < 0 {`},
}

var clock = []defect{
	{"the line of a corrected clock has no context", `k.log.WarnContext(ctx, `, `k.log.Warn(`},
	{"the platform's clock is not followed", `k.skew.Store(int64(after))`, `_ = int64(after)`},
	{"every reply moves the clock", `step := by.Abs() >= clockTolerance && !contradicts`, `step := by != 0 && !contradicts`},
	{"a reply moves the clock by all it can", `after := min(max(before, stamped.Sub(received)), stamped.Add(time.Second).Sub(sent))`, `after := stamped.Add(time.Second).Sub(sent)`},
	{"replies that contradict each other move the clock", `by.Abs() >= clockTolerance && !contradicts`, `by.Abs() >= clockTolerance && (!contradicts || true)`},
	{"a time of another age moves the clock", ` || stamped.Sub(received).Abs() > 100*365*24*time.Hour {`, ` {`},
	{"a step of the clock is silent", `	if step {
		k.log`, `	if step && false {
		k.log`},
}
