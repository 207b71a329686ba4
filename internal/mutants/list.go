package main

// The defects, by the file that they are put into. Each replaces a text that occurs once in its file; the tests that
// should notice are those of a whole package (of the root: also internal/conformance), never one picked for the defect.

// A mutant is one defect made on purpose.
type mutant struct {
	name     string
	file     string // from the root of the repository
	tests    string // directory of the package whose tests should notice
	old, new string
}

// A defect is a mutant without what it shares with the others of its file.
type defect struct{ name, old, new string }

func mutants() []mutant {
	var all []mutant
	for _, f := range []struct {
		file, tests string
		defects     []defect
	}{
		{"sign.go", ".", signing},
		{"callback.go", ".", callback},
		{"credential_cache.go", ".", cache},
		{"mint.go", ".", mint},
		{"credential_store.go", ".", origin},
		{"credential_source.go", ".", source},
		{"credential_foreign.go", ".", foreign},
		{"credential.go", ".", credential},
		{"ticket.go", ".", ticket},
		{"livelogin.go", ".", liveLogin},
		{"result.go", ".", result},
		{"send.go", ".", send},
		{"transport.go", ".", transport},
		{"instrumentation.go", ".", instrumentation},
		{"default_transport.go", ".", defaultTransport},
		{"retry.go", ".", retry},
		{"redact.go", ".", redact},
		{"observe.go", ".", observe},
		{"reply.go", ".", reply},
		{"errors.go", ".", classes},
		{"codes.go", ".", codes},
		{"credential_store.go", "storetest", store},
		{"client.go", ".", client},
		{"client_value.go", ".", clientValue},
		{"option.go", ".", option},
		{"clock.go", ".", clock},
		{"internal/jsonmedia/object.go", "internal/jsonmedia", object},
		{"internal/jsonmedia/memory.go", "internal/jsonmedia", memory},
		{"internal/jsonmedia/media.go", "internal/jsonmedia", media},
		{"internal/jsonmedia/kind.go", "internal/jsonmedia", kind},
		{"evidence/evidence.go", "evidence", evidence},
		{"filestore/filestore.go", "filestore", fileStore},
		{"filestore/lock.go", "filestore", fileLock},
		{"filestore/reserve.go", "filestore", fileReserve},
		{"filestore/modes_unix.go", "filestore", fileModes},
		{"filestore/envelope.go", "filestore", fileEnvelope},
		{"examples/nethttp/handler.go", "examples/nethttp", handlersToCopy},
		{"examples/nethttp/site.go", "examples/nethttp", siteToCopy},
		{"examples/miniprogram/site.go", "examples/miniprogram", miniProgram},
		{"examples/webdemo/shop/handlers.go", "examples/webdemo/shop", demoHandlers},
		{"examples/webdemo/shop/reading.go", "examples/webdemo/shop", demoTexts},
		{"examples/webdemo/main.go", "examples/webdemo", demoSettings},
		{"examples/production/handlers.go", "examples/production", productionHandlers},
		{"examples/production/routes.go", "examples/production", productionRoutes},
		{"examples/production/config.go", "examples/production", productionConfig},
		{"examples/production/session.go", "examples/production", productionSessions},
		{"examples/production/platform.go", "examples/production", productionPlatform},
		{"examples/production/main.go", "examples/production", productionMain},
		{"redisstore/scripts.go", "redisstore", redisScripts},
		{"redisstore/lock.go", "redisstore", redisLock},
		{"redisstore/command.go", "redisstore", redisCommand},
		{"redisstore/seal.go", "redisstore", redisSeal},
		{"redisstore/redisstore.go", "redisstore", redisStore},
		{"checks/service.go", "checks", checksService},
		{"checks/run.go", "checks", checksRun},
		{"checks/step.go", "checks", checksStep},
		{"evidence/directory.go", "evidence", evidenceDirectory},
		{"sqlchecks/store.go", "sqlchecks", sqlStore},
		{"sqlchecks/statements.go", "sqlchecks", sqlStatements},
		{"sqlchecks/schema.go", "sqlchecks", sqlSchema},
		{"sqlchecks/errors.go", "sqlchecks", sqlErrors},
		{"cmd/webanklive/store.go", "cmd/webanklive", commandStore},
		{"cmd/webanklive/watched.go", "cmd/webanklive", commandWatched},
		{"cmd/webanklive/platform.go", "cmd/webanklive", commandPlatform},
		{"cmd/webanklive/result.go", "cmd/webanklive", commandResult},
		{"cmd/webanklive/output.go", "cmd/webanklive", commandOutput},
		{"cmd/webanklive/doctor.go", "cmd/webanklive", commandDoctor},
		{"cmd/webanklive/doctor_redis.go", "cmd/webanklive", commandDoctorRedis},
		{"cmd/webanklive/authority.go", "cmd/webanklive", commandAuthority},
		{"cmd/webanklive/sandbox.go", "cmd/webanklive", commandSandbox},
		{"cmd/webanklive/mistakes_values.go", "cmd/webanklive", commandValues},
		{"cmd/webanklive/mistakes_hash.go", "cmd/webanklive", commandHash},
	} {
		for _, d := range f.defects {
			all = append(all, mutant{d.name, f.file, f.tests, d.old, d.new})
		}
	}
	return all
}

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

var cache = []defect{
	{"what a store quotes is not scrubbed", "err = c.redact.cause(err)", "_ = c.redact.cause(err)"},
	{"the line of a mint has no context", `c.log.InfoContext(ctx, "webanklive: minted`, `c.log.Info("webanklive: minted`},
	{"the line of a failed refresh has no context", `c.log.Log(ctx, level`, `c.log.Log(context.Background(), level`},
	{"the line of a refused credential has no context", `c.log.InfoContext(ctx, "webanklive: the platform refused`, `c.log.Info("webanklive: the platform refused`},
	{"calls wait for the store after 70 s, not 50", `readFirst = 50 * time.Second`, `readFirst = 70 * time.Second`},
	{"the store is read after 45 s, not 25", `readSoon  = 25 * time.Second`, `readSoon  = 45 * time.Second`},
	{"a hanging store holds calls up for 20 s, not 2", `readWait  = 2 * time.Second`, `readWait  = 20 * time.Second`},
	{"a hanging store takes all of a call's time", `min(limit, time.Until(end)/2)`, `min(limit, time.Until(end))`},
	{"a refresh is waited for", `			c.start(ctx)
			return rec, nil`, `			_, _ = c.wait(ctx, c.start(ctx), 0)
			return rec, nil`},
	{"an expired credential is used", `!c.refused && !c.held.expired(now)`, `!c.refused`},
	{"a refused credential is used", `c.held != nil && !c.refused && !c.held`, `c.held != nil && !c.held`},
	{"a warm call does not see that a refresh is due", `age < readSoon && !c.held.due(now) {`, `age < readSoon {`},
	{"a clock that is set back stops the reading", `if 0 <= age && age < readSoon`, `if age < readSoon`},
	{"every call waits for a hanging store", `(behind || time.Since(c.filling) >= readWait):`, `behind:`},
	{"after a failed read every try is waited for", ` || c.failure != nil && time.Since(c.failedAt) < readFirst`, ``},
	{"a refusal drops whatever is held", ` || !c.held.same(refused)`, ``},
	{"a refusal may drop again within a minute", `!another && c.limit.mayReplace(c.held)`, `!another`},
	{"a failure outlives a refusal", `c.refused, c.retryAt = true, time.Time{}`, `c.refused = true`},
	{"a call is repeated after media were written", ` || refusal.written {`, ` {`},
	{"a refused call is not repeated", `	fresh := rec
	if c.invalidate(ctx, rec) {`, `	fresh := rec
	if c.invalidate(ctx, rec) && false {`},
	{"a call is repeated with the credential that was refused", `if fresh.same(rec) {`, `if fresh.same(rec) && false {`},
	{"the second refusal of a call drops nothing", `		c.invalidate(ctx, fresh)
`, `		_ = fresh
`},
	{"a fill does not look again", `if do == failAsBefore || do == use {`, `if do == failAsBefore {`},
	{"a failure is not remembered", `c.failure != nil && time.Now().Before(c.retryAt) {`, `c.failure != nil && false {`},
	{"a failure is remembered for 15 s when nothing can be used", `delay = between(time.Second, 5*time.Second)`, `delay = 15 * time.Second`},
	{"a failed refresh is tried again at once", `case time.Now().Before(c.retryAt), !c.filling`, `case !c.filling`},
	{"the error of a failed fill outlives the credential", `case !held.ExpiresAt.IsZero():`, `case false:`},
	{"what was put back is refreshed at once", `case err == nil && rec != f.held:`, `case err == nil:`},
	{"the caller who leaves takes the mint along", `context.WithTimeout(context.WithoutCancel(ctx), fillTimeout)`, `context.WithTimeout(ctx, fillTimeout)`},
	{"who waits for a mint cannot leave", `case <-ctx.Done():`, `case <-make(chan struct{}):`},
	{"every forged callback reads the store", `now.Sub(at) >= rereadEvery`, `now.Sub(at) >= 0`},
	{"a SIGN ticket that cannot be read again is taken for the newest", `case !finished || err != nil:`, `case !finished:`},
	{"a forged callback whose read fails is everybody's failure", `&fill{urgent: true, quiet: true})
			c.mu`, `&fill{urgent: true})
			c.mu`},
	{"an older credential replaces a newer one", `if c.held == nil || rec.number >= c.held.number {`, `if c.held == nil || rec.number > 0 || rec.number == 0 {`},
	{"a refusal during a fill is forgotten", `c.refused = c.refused && !f.refused && c.held.same(rec)`, `c.refused = false`},
	{"a mint is lost when the store does not take it", `		if ctx.Err() == nil { // else it was given up
			c.keep`, `		if ctx.Err() != nil {
			c.keep`},
	{"the age of a read runs from its end", `c.keep(rec, f.readAt, f)`, `c.keep(rec, c.clock.local().Round(0), f)`},
	{"secrets that are held may be in an error", `c.redact.add(rec.AccessToken, rec.SignTicket, rec.PreviousSignTicket)`, `_ = c.redact`},
	{"a refused refresh is a warning", `		if refusesMint(err) {
			level`, `		if false {
			level`},
	{"recovery is no line", `	case recovered:`, `	case recovered && usable && err != nil:`},
	{"Refresh mints with a source", `c.origin.(*sourceOrigin); ok {`, `c.origin.(*sourceOrigin); ok && false {`},
	{"Status shows a refused credential as held", `Status{Held: c.usable(now),`, `Status{Held: c.held != nil && !now.IsZero(),`},
}

var mint = []defect{
	{"the SIGN ticket's life is not looked at", `life := min(token.life, sign.life)`, `life := max(token.life, sign.life)`},
	{"a credential is used up to its last second", `expiryMargin = time.Minute`, `expiryMargin = 0 * time.Minute`},
	{"age runs from the reply, not from the request", `c.clock.now().Add(-time.Since(began))`, `c.clock.now().Add(0 * time.Since(began))`},
	{"credentials are refreshed after 45 minutes", `refreshAfter, refreshJitter = 20 * time.Minute`, `refreshAfter, refreshJitter = 45 * time.Minute`},
	{"a short-lived credential is not refreshed in time", `life*2/3)`, `life*2)`},
	{"any expire_in is believed", `min(seconds, longest.Seconds())`, `seconds`},
	{"an expire_in of 0 is accepted", `!(seconds >= minLife.Seconds())`, `seconds < 0`},
	{"an empty ticket is accepted", `case g.value == "":`, `case g.value == "none":`},
	{"a mint is tried as often as any call", `path: pathToken, mint: true,`, `path: pathToken,`},
	{"a mint may be unplanned every second", `const mintEvery = time.Minute`, `const mintEvery = time.Second`},
	{"a clock that went back stops the minting", `return 0 <= age && age < mintEvery`, `return age < mintEvery`},
	{"a mint that the platform refused is tried again at once", `case refusesMint(err):`, `case false:`},
	{"Refresh repeats what the platform said a minute ago", `l.recent(l.refused) && reason != reasonRefresh:`, `l.recent(l.refused):`},
	{"a clock makes a process mint again and again", `last = l.last
	case`, `_ = l.last
	case`},
	{"Refresh mints after another process's", `stored != nil && stored.unplanned &&`, `stored == nil &&`},
	{"a refresh that got a token only is tried again at once", ` || halfway:`, ` || halfway && false:`},
	{"the first mint stops a second one", `if reason != reasonFirst {`, `if true {`},
	{"mints in place of refused credentials are not counted", `			l.unplanned = began
`, `			_ = began
`},
	{"two processes replace one refused credential", ` && !(rec.unplanned && l.recent(rec.mintedAt))`, ``},
}

var origin = []defect{
	{"a mint that hangs keeps the lock", "foreign(ctx, mintGrace, unobserved,", "foreign(context.WithoutCancel(ctx), mintGrace, unobserved,"},
	{"the line of a lost credential has no context", `o.log.InfoContext(ctx, `, `o.log.Info(`},
	{"the line of an unreadable record has no context", `o.log.WarnContext(ctx, `, `o.log.Warn(`},
	{"minted without the lock", `u.value, err = o.store.Update(ctx, o.key, func(`,
		`u.value, err = func(ctx context.Context, _ string, fn UpdateFunc) ([]byte, error) { next, _, err := fn(ctx, nil); return next, err }(ctx, o.key, func(`},
	{"a store that is down looks empty", `if err != nil && !errors.Is(err, ErrNoCredential) {`, `if errors.Is(err, context.Canceled) {`},
	{"a hanging read takes a fill's whole time", `readTimeout = 10 * time.Second`, `readTimeout = 100 * time.Second`},
	{"the store is not read again under the lock", `if err != nil || o.acceptable(stored, f) {`, `if err != nil {`},
	{"what another process stored meanwhile is not used", `if rec, err := o.decode(ctx, u.value); err != nil || o.acceptable(rec, f) {`, `if rec, err := o.decode(ctx, u.value); err != nil {`},
	{"a credential that the store lost is not put back", `	case f.urgent || !held.due(now):
`, `	case false:
`},
	{"a refused credential is put back", `	case f.refused:
		reason = reasonRefused
`, ``},
	{"the credential that was refused is accepted again", `!(f.refused && rec.same(f.held))`, `!(f.refused && rec == f.held)`},
	{"an older credential than the one held is accepted", `rec.number >= f.held.number && !(`, `!(`},
	{"an expired credential is accepted", `!f.refresh && !rec.expired(now) &&`, `!f.refresh &&`},
	{"the previous SIGN ticket is forgotten", `rec.after(o.clock.now(), stored, f.held)`, `rec.after(o.clock.now())`},
	{"stored for a second", `max(u.rec.ExpiresAt.Sub(o.clock.now()), time.Second)`, `time.Second`},
	{"a newer version's credential is replaced", `if errors.Is(err, errNewerRecord) {`, `if errors.Is(err, context.Canceled) {`},
	{"an unplanned mint is not marked", `rec.unplanned = unplanned(reason)`, `rec.unplanned = false`},
	{"nothing limits the minting", `err := o.limit.allow(reason, stored); err != nil {`, `err := o.limit.allow(reason, stored); err != nil && reason == "" {`},
	{"Refresh is content with what is stored", `rec != nil && !f.refresh && `, `rec != nil && `},
	{"a lost lock is taken for a failed mint", `				if ctx.Err() == nil {`, `				if true {`},
}

var source = []defect{
	{"a token service is not told of a refusal", `if f.refused {`, `if false {`},
	{"a token service is told of every refusal", `o.limit.note(o.clock.now(), reasonRefused, nil)`, `_ = o.limit`},
	{"a token service may hand out a dead credential", `case rec.expired(o.clock.now()):`, `case rec.expired(o.clock.now()) && c.AccessToken == "":`},
	{"a token service's last SIGN ticket is forgotten", `rec.PreviousSignTicket, rec.previousExpires = f.held.SignTicket, f.held.ExpiresAt`, ``},
	{"a token service may hand out half a credential", `c.AccessToken == "" || c.SignTicket == ""`, `c.AccessToken == ""`},
}

var foreign = []defect{
	{"the error of a central client is wrapped once more", `errors.As(err, &ours) && ours.classed() != nil`, `errors.As(err, &ours) && ours == nil`},
	{"a store that panics ends the process", `if recover() != nil {`, `if false {`},
	{"a store that ends its goroutine is no error", `errors.New("it ended its goroutine")`, `error(nil)`},
	{"a store that ignores its context wedges", `time.AfterFunc(grace, func() {`, `time.AfterFunc(10*time.Hour, func() {`},
	{"an observer that ends a goroutine keeps callers waiting", `defer func() { done <- o }()`, `defer func() { _ = o }()`},
	{"an empty store is a failure", `errors.Is(o.err, ErrNoCredential)`, `errors.Is(o.err, context.Canceled)`},
}

var credential = []defect{
	{"masking shows the beginning", `return "***"`, `return secret[:4] + "***"`},
	{"two mints may have one number", `r.number = max(r.number, b.number+1)`, `r.number = max(r.number, b.number)`},
	{"numbers do not reach the clock", `r.number = now.UnixMilli()`, `r.number = 1`},
	{"a record without a number is the oldest", `s.Number = s.MintedAt.UnixMilli()`, `s.Number = 1`},
	{"a number without a bound is read", `s.Number < 0, s.Number > highestNumber:`, `s.Number < 0:`},
	{"the oldest SIGN ticket counts as the previous", `newest.number < b.number`, `b.number < newest.number`},
	{"a previous SIGN ticket never expires", `r.previousExpires.IsZero() || now.Before(r.previousExpires)`, `r.previousExpires.IsZero() || !now.IsZero()`},
	{"a stored credential needs no SIGN ticket", `case s.AccessToken == "", s.SignTicket == "", `, `case s.AccessToken == "", `},
	{"any version of a stored credential is read", `case version.Version > storedVersion:`, `case version.Version > 99:`},
	{"a credential lives on at its expiry", `&& !now.Before(r.ExpiresAt)`, `&& now.After(r.ExpiresAt)`},
	{"a credential from the future is never due", ` || r.mintedAt.Sub(now) > refreshAfter)`, `)`},
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

var store = []defect{
	{"Load hands out the store's own bytes", `return bytes.Clone(entry.value)`, `return entry.value`},
	{"the store keeps the caller's bytes", `bytes.Clone(next), time.Time{}`, `next, time.Time{}`},
	{"values do not expire", `!entry.expires.IsZero() && !time.Now().Before(entry.expires)`, `!entry.expires.IsZero() && time.Now().IsZero()`},
	{"a value without a life expires at once", `if ttl > 0 {`, `if ttl >= 0 {`},
	{"the lock has room for two", `lock: make(chan struct{}, 1)`, `lock: make(chan struct{}, 2)`},
	{"a failed update stores", "case err != nil:\n\t\treturn nil, err\n\tcase next == nil:", "case err != nil && next == nil:\n\t\treturn nil, err\n\tcase next == nil:"},
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

var object = []defect{
	{"nesting has no limit", `if s.depth == maxDepth {`, `if s.depth == maxDepth<<20 {`},
	{"a field given twice is accepted", `again := slices.Contains(seen, name)`, `again := slices.Contains(seen, name) && name == ""`},
	{"a field of another type is no field", `odd, err = true, s.skip(c)`, `return s.skip(c)`},
	{"a text that is too long is cut off", `odd, err = s.quoted(maxSmall)`, `_, err = s.quoted(maxSmall)`},
	{"a result that is a text is none", `c != 'n' && (c != '"' || s.offset() > at+2)`, `c != 'n' && c != '"' && s.offset() > at`},
	{"an empty result is odd", `c != 'n' && (c != '"' || s.offset() > at+2)`, `c != 'n' && s.offset() > at`},
	{"the last ticket counts", "first = nil\n", "_ = first\n"},
	{"a word before a picture is a picture, too", `if d.absent {`, `if d.absent && false {`},
	{"a word behind a picture is a picture, too", `if s.offset()-at > int64(s.opts.Min)+2 {`, `if s.offset()-at > 0 {`},
	{"media given twice are accepted", `if slices.Contains(s.given, name) {`, `if len(s.given) > 99 {`},
	{"data may follow the object", `return s.syntax("data after the object")`, `return nil`},
	{"a short field may be megabytes", `maxSmall = 4 << 10`, `maxSmall = 4 << 20`},
	{"a number counts as media", `s.blame(&MediaError{Field: name, Offset: s.offset(), Err: ErrNotString})`, `_ = ErrNotString`},
}

var memory = []defect{
	{"media in memory have no limit", `if m.limit > 0 {`, `if m.limit > 1<<40 {`},
	{"an announced length is believed", `make([]byte, m.cap(min(want, firstPiece)))`, `make([]byte, m.cap(want))`},
	{"a small photo keeps a large buffer", `if n <= len(buf)/16 {`, `if n < 0 {`},
}

var media = []defect{
	{"a blank inside is skipped", `case d.blank:
		return ErrCorrupt`, `case d.blank && c == '-':
		return ErrCorrupt`},
	{"a blank inside is skipped at full speed", `d.pads == 0 && !d.blank {`, `d.pads == 0 {`},
	{"a blank in front is an error", `d.blank = d.size > 0 ||`, `d.blank = true ||`},
	{"an escaped blank is skipped", `if c < 0 || c >= notASCII || c == ' ' || c == '\t' {
				return n, used
			}
			if !lineBreak(c) {`, `if c < 0 || c >= notASCII {
				return n, used
			}
			if !lineBreak(c) && c != ' ' {`},
	{"an escaped tab is skipped", `case 'n', 'r':
			used += 2`, `case 'n', 'r', 't':
			used += 2`},
	{"what is too short reaches the writer", `len(d.early)+len(b) < d.s.opts.Min`, `len(d.early)+len(b) < 0`},
	{"what came before it was long enough is lost", `b = append(d.early, b...)`, `b = append(d.early[:0], b...)`},
	{"a lone character at the end is accepted", "case 1:\n\t\treturn ErrCorrupt", "case 1:\n\t\treturn nil"},
	{"letters may follow the padding", `c < 0 || c >= notASCII || d.pads > 0 ||`, `c < 0 || c >= notASCII ||`},
	{"any amount of padding is accepted", `c == '=' && d.have >= 2 && d.have+d.pads < 4`, `c == '=' && d.have >= 2`},
	{"a short write is taken for a whole one", `if n < len(b) && err == nil {`, `if n < 0 && err == nil {`},
	{"corrupt media are handed over", "if err != nil {\n\t\tdata = nil", "if err != nil {\n\t\t_ = data"},
}

var kind = []defect{
	{"Matroska is WebM", ` && !bytes.Contains(head, []byte("matroska"))`, ``},
	{"every RIFF file is a picture", `&& third == "WEBP":`, `&& third != "AVI ":`},
	{"every ftyp is MP4", "\t\t\treturn \"video/mp4\"\n\t\t}\n\t}\n\treturn \"\"", "\t\t\treturn \"video/mp4\"\n\t\t}\n\t}\n\treturn \"video/mp4\""},
	{"AVIF is HEIC", `if slices.Contains(avifBrands`, `if false && slices.Contains(avifBrands`},
	{"a film from a telephone is MP4", `case major == "qt  ":`, `case major == "qt":`},
	{"a film without ftyp is nothing", `case second == "moov" ||`, `case second == "moo" ||`},
}

var evidence = []defect{
	{"an order number may be a path", `orderNo == "" || orderNo != filepath.Base(orderNo) {`, `orderNo == "" {`},
	{"files that exist are found after the network", `if !missing {`, `if !missing && false {`},
	{"what is there is fetched again", `if f.path != "" {
			continue
		}
		var err error
		if f.temp`, `var err error
		if f.temp`},
	{"a photo alone stops the next run", `missing = missing || f.path == ""`, `missing = f.path == ""`},
	{"files that appear meanwhile are overwritten", `if !f.new || found[i] != "" && !req.Overwrite {`, `if !f.new {`},
	{"one file that appeared is an error", `if came != "" && !named {`, `if came != "" && (!named || found[1] != "") {`},
	{"all that appeared is no error", `if came != "" && !named {`, `if came != "" && !named && req.Overwrite {`},
	{"the directory is open to others", `os.MkdirAll(req.Dir, 0o700)`, `os.MkdirAll(req.Dir, 0o755)`},
	{"temporary files stay behind", `_ = os.Remove(f.temp.Name())`, `_ = f.temp.Name()`},
	{"what killed runs left stays", `sweep(req.Dir)`, `_ = sweep`},
	{"what living runs write is swept", `killedAge = time.Hour`, `killedAge = 30 * time.Minute`},
	{"other files are swept", `if !strings.HasPrefix(name, temporary) {`, `if !strings.Contains(name, temporary) {`},
	{"an empty file is evidence", `case info.Size() > 0:`, `case info.Size() >= 0:`},
	{"a photo of another type stays beside the new one", `(req.Overwrite || isEmpty(path)) {`, `isEmpty(path) {`},
	{"what is no file is replaced", `case !info.Mode().IsRegular():`, `case info.Mode().IsRegular() && info.Size() < 0:`},
}

var fileStore = []defect{
	{"values on disk do not expire", `!expires.IsZero() && !time.Now().Before(expires)`, `!expires.IsZero() && time.Now().IsZero()`},
	{"a lost lock does not stop the write", `err == nil && !l.held():`, `err == nil && next == nil && !l.held():`},
	{"a directory that has gone means no credential", `return nil, s.present()`, `return nil, nil`},
	{"a value is asked for without room for it", "return nil, fmt.Errorf(\"no room for another value, so none was asked for: %w\", err)", "room = &reserve{store: s}"},
	{"the room is for the shortest value only", `valueAt+len(current)`, `valueAt`},
}

var fileReserve = []defect{
	{"the value is written in place", `return os.Rename(r.path, path)`, `return errors.Join(os.WriteFile(path, content, 0o600), os.Remove(r.path))`},
	{"a value that was not written whole is stored", `_, err := r.file.WriteAt(content, 0)`, `_, err := r.file.WriteAt(content[:len(content)/2], 0)`},
	{"room that is left over stays in the value", `r.file.Truncate(int64(len(content)))`, `r.file.Truncate(r.size)`},
	{"room is a file without a block", `if _, err := r.file.Write(filler); err != nil {`, `if err := r.file.Truncate(r.size); err != nil {`},
	{"a locked file can be locked again", `err = s.probeLock(r.path)`, `err = nil`},
	{"a stopped process does not see that its lock was lost", `cancel(ErrLockLost)`, `_ = cancel`},
	{"a process shows no sign of life", `_, _ = r.file.WriteAt([]byte{0}, 0)`, `_ = r.file`},
	{"a lost lock in the last moment is some error", `return ErrLockLost // the next`, `return err // the next`},
	{"unused room is left behind", `if r.path != "" {`, `if r.path == "" {`},
}

var fileModes = []defect{
	{"every user may write to the directory", `const everybodyWrites = 0o002`, `const everybodyWrites = 0`},
	{"root shuts the group out", `case !mine || rootShares || mode.Perm()&others == 0:`, `case !mine || mode.Perm()&others == 0:`},
	{"others may enter the directory", `dir.Chmod(0o700)`, `dir.Chmod(0o711)`},
	{"a directory with other files is narrowed", `if !ours.MatchString(name) && name != "lost+found" {`, `if !ours.MatchString(name) && name == "lost+found" {`},
	{"files that became open stay open", `return file.Chmod(0o600)`, `return nil`},
	{"root keeps what it writes", `return created.Chown(uid, gid)`, `return nil`},
	{"root keeps the directories that it makes", `return made.Chown(uid, gid)`, `return nil`},
	{"what root writes is only for root", `errors.Join(created.Chown(0, gid), created.Chmod(0o660))`, `created.Chown(0, gid)`},
	{"the owner of the record does not count", `valueUID != 0 {`, `valueUID == 0 {`},
	{"root keeps the lock", `errors.Join(s.handOver(file, name), file.Close())`, `file.Close()`},
	{"root follows links", `os.O_RDONLY | syscall.O_NOFOLLOW`, `os.O_RDONLY`},
}

var fileLock = []defect{
	{"processes share the lock", `l.store.try(l.file)`, `l.file.TryRLock()`},
	{"a process that waited does the work again", `if newer, err := w.look(ctx); newer != nil || err != nil {
					_ = l.file.Unlock()`, `if newer, err := w.look(ctx); err != nil {
					_ = l.file.Unlock()`},
	{"a stopped process keeps the lock", `q.silent < l.store.silence`, `q.silent >= 0`},
	{"a slow process loses the lock", `sign != q.sign {
		q.sign, q.silent = sign, 0`, `sign != q.sign {
		q.sign = sign`},
	{"impatient callers never add up", `q.looked = now`, `q.looked, q.silent = now, 0`},
}

var fileEnvelope = []defect{
	{"half a file is a value", `if !bytes.Equal(content[checksumAt:valueAt], checksum(key, content, value)) {`, `if bytes.Equal(content[checksumAt:valueAt], value) {`},
}

var redisScripts = []defect{
	{"the value is written without the lock", "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\nif ARGV[2] == '0' then", "if ARGV[2] == '0' then"},
	{"anybody's lock is released", "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\nreturn redis.call('DEL', KEYS[1])", "return redis.call('DEL', KEYS[1])"},
	{"anybody's lock is extended", "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\nreturn redis.call('PEXPIRE', KEYS[1], ARGV[2])", "return redis.call('PEXPIRE', KEYS[1], ARGV[2])"},
	{"a repeated command waits for itself", "if redis.call('GET', KEYS[1]) == ARGV[1] then redis", "if redis.call('GET', KEYS[1]) == '' then redis"},
	{"who waits does not see that the lock is free", "if redis.call('GET', KEYS[1]) then held = 1 end", "held = 1"},
}

var productionHandlers = []defect{
	{"a temporary error offers a new check", `c.Header("Refresh", "3") // repeats this very request, query and all`, `page = "repeat"`},
	{"a bad callback is temporary", `return http.StatusBadRequest, "bad"`, `return http.StatusServiceUnavailable, "later"`},
	{"a temporary error is final", `return http.StatusServiceUnavailable, "later"`, `return http.StatusNotFound, "unknown"`},
}

var productionRoutes = []defect{
	{"an outage of the database takes every pod away", `case drainOnly:`, `case drainOnly && s.db.PingContext(ctx) == nil:`},
	{"a draining replica is ready", `case s.draining.Load():`, `case s.draining.Load() && !drainOnly:`},
	{"the log has the query", `"route", c.FullPath(),`, `"route", c.FullPath()+c.Request.URL.RawQuery,`},
	{"the form of another site starts a check", `c.GetHeader("Sec-Fetch-Site") == "" &&`, ``},
}

var productionConfig = []defect{
	{"a public site runs on the sandbox", `refuse(cfg.appID == "" && !isLoopback`, `refuse(cfg.appID == "?" && !isLoopback`},
	{"the line end belongs to the session key", `bytes.TrimSuffix(bytes.TrimSuffix(key, []byte("\n")), []byte("\r"))`, `bytes.TrimSuffix(key, []byte("\r"))`},
}

var productionSessions = []defect{
	{"cookies are never Secure", `Secure: s.secure`, `Secure: false`},
	{"a cookie that this site did not sign is believed", `if !hmac.Equal([]byte(mac), []byte(s.mac(id))) {`, `if mac == "" {`},
}

var productionPlatform = []defect{
	{"a refused secret is taken into use", `errors.Is(err, webanklive.ErrCredential) || ctx.Err() != nil`, `ctx.Err() != nil`},
	{"the worker has no client of its own", `c.worker.now.Store(p.worker)`, `c.worker.now.Store(nil)`},
}

var productionMain = []defect{
	{"a database that is away at start ends the work", `if s.migrate(working) != nil {`, `if s.db.PingContext(working) != nil || s.migrate(working) != nil {`},
}

var handlersToCopy = []defect{
	{"a redirect to the platform may be cached", `w.Header().Set("Cache-Control", "no-store")`, ``},
	{"a swipe back is refused", `errors.Is(err, checks.ErrUnderWay) && launch.OrderNo != ""`, `errors.Is(err, checks.ErrUnderWay) && launch.OrderNo == ""`},
	{"a temporary error does not come back by itself", `status == http.StatusServiceUnavailable`, `status == http.StatusOK`},
	{"the page of a waiting check does not come back by itself", `if !check.State.Final() {`, `if check.State.Final() {`},
	{"the callback's query stays in the address", `"/liveness/"+check.OrderNo, http.StatusSeeOther)`, `"/liveness/"+check.OrderNo+"?"+r.URL.RawQuery, http.StatusSeeOther)`},
}

var siteToCopy = []defect{
	{"another user of a browser has the same session", `cookie.Value + "\n" + user`, `cookie.Value`},
	{"the cookie does not come home", `SameSite: http.SameSiteLaxMode`, `SameSite: http.SameSiteStrictMode`},
}

var miniProgram = []defect{
	{"numbers of a phone are refused", `text = string(raw) // a number`, `return nil, webanklive.ErrMalformedCallback // a number`},
}

var demoHandlers = []defect{
	{"photos are shown to who comes from elsewhere", `check.State != checks.Passed || !fromThisMachine(r)`, `check.State != checks.Passed`},
	{"a double click makes two launches", `found && time.Since(earlier.at) < doubleClick`, `found && time.Since(earlier.at) < 0`},
}

var demoTexts = []defect{
	{"an attack is explained", "v.Advice = advices[\"\"]\n", "v.Advice = advice{info.Message, info.Meaning}\n"},
}

var demoSettings = []defect{
	{"a public demo runs on the fake", `!real && !isLoopback(u.Hostname())`, `!real && u.Hostname() == ""`},
	{"half a configuration starts", `(set.appID != "") != (set.secret != "")`, `set.appID != "" && set.secret == "?"`},
}

var redisLock = []defect{
	{"the lease is not extended", "wait := l.store.lease / extendEvery\n\tfor {", "wait := l.store.lease * extendEvery\n\tfor {"},
	{"the lease is extended with the value's key", "extendScript, l.keys()[:1],", "extendScript, l.keys(),"},
	{"who waits takes the lock in turn", "if err == nil && !now.locked && !isNew(now.value, first.value) {", "if err == nil && !now.locked {"},
	{"who waits works though another has worked", "case isNew(now.value, first.value):", "case isNew(now.value, first.value) && !now.locked:"},
	{"a value that has gone is new", "return value != nil && !bytes.Equal(value, seen)", "return !bytes.Equal(value, seen)"},
	{"any value is new to who waits", "return value != nil && !bytes.Equal(value, seen)", "return value != nil && !bytes.Equal(value, seen[:0])"},
	{"an error ends a wait", "time.Since(answered) >= s.lease && ", "time.Since(answered) >= 0 && "},
	{"a wait goes on without Redis for ever", "case err != nil && time.Since(answered) >= s.lease && ", "case err != nil && time.Since(answered) >= time.Hour && "},
	{"a write is tried once", "case l.left() <= 0:\n\t\t\treturn fmt.Errorf(\"store the value", "case err != nil:\n\t\t\treturn fmt.Errorf(\"store the value"},
	{"a write ends with its caller's context", "ctx = context.WithoutCancel(ctx)\n\tmilliseconds", "milliseconds"},
	{"an unlock ends with its caller's context", "ask(context.WithoutCancel(ctx), l.store, releaseLimit", "ask(ctx, l.store, releaseLimit"},
	{"a lost reply leaves a lock", "_ = l.unlock(ctx, token) // the reply", "_ = l // the reply"},
	{"attempts to lock share a token", "token, expires := rand.Text(),", "token, expires := rand.Text()[:0]+\"shared\","},
	{"a lock that came too late is kept", "}, func() { _ = l.unlock(ctx, token) })", "}, nil)"},
}

var redisCommand = []defect{
	{"a hook that panics ends the process", `if recover() != nil {`, `if false {`},
	{"a cluster's topology is not loaded after an error", "rdb.ReloadState(context.Background())\n", ""},
	{"connections to a demoted server are kept", "giveUpIdle(rdb)\n", ""},
	{"one wording of READONLY is known", `[]string{"readonly", "read only"`, `[]string{"-readonly you can't"`},
	{"a hanging server keeps its connections", "!errors.Is(err, errNoAnswer) {", "err != nil {"},
	{"a command has no limit", "context.WithTimeout(ctx, limit)", "context.WithTimeout(ctx, time.Hour)"},
	{"an unknown command is quoted", `", with args beginning with"`, `", without args"`},
}

var redisSeal = []defect{
	{"a plain value is opened in spite of encryption", "case s.encrypt != nil && !s.plain:", "case s.encrypt != nil && s.plain:"},
	{"a value is opened for another key", "aead.Open([]byte{}, nonce, sealed, []byte(key))", "aead.Open([]byte{}, nonce, sealed, []byte(key[:0]))"},
	{"only the first key opens", "append([]cipher.AEAD{s.encrypt}, s.decrypt...)", "append([]cipher.AEAD{s.encrypt}, s.decrypt[:min(1, len(s.decrypt))]...)"},
	{"what nobody can open is plain", "return nil, errOtherKey", "return stored, nil"},
	{"a plain value that begins like a sealed one is written as it is", "value[0] <= sealedVersion", "value[0] > 255"},
	{"nonces are zero", "rand.Read(nonce)", "rand.Read(nonce[:0])"},
}

var redisStore = []defect{
	{"an outage of Redis means no credential", "case errors.Is(err, redis.Nil):\n", "case errors.Is(err, redis.Nil), err != nil:\n"},
	{"a value that cannot be opened is absent", "value, err = s.seal.open(key, []byte(stored))\n", "if value, err = s.seal.open(key, []byte(stored)); err != nil {\n\t\t\terr = webanklive.ErrNoCredential\n\t\t}\n"},
	{"a Ring is accepted", "if _, ring := rdb.(*redis.Ring); ring {", "if _, ring := rdb.(*redis.Ring); ring && len(opts) > 9 {"},
}

var commandStore = []defect{
	{"an encryption key of any length is taken", `len(key) != storeKeyBytes {`, `len(key) == 0 {`},
	{"a store URL names one server, whatever its scheme says", `&redisTarget{kind: kind,`, `&redisTarget{kind: redisSingle,`},
	{"the prefix is left to the Redis client", `query.Del("prefix")`, `query.Del("prefixes")`},
	{"a password behind Sentinel may be typed", `values.Has("username") || values.Has("password")`, `values.Has("username")`},
	{"the encryption key is not used", `redisstore.WithEncryption(cfg.storeKey))`, `redisstore.WithPlaintext())`},
}

var commandWatched = []defect{
	{"an empty store is started by accident", `case current == nil && !s.mayStart:`, `case current == nil && !s.mayStart && s.closed:`},
	{"who lacks the encryption key is not told", `case errors.Is(err, redisstore.ErrCannotOpen):`, `case errors.Is(err, redisstore.ErrLockLost):`},
}

var commandPlatform = []defect{
	{"everybody is the vendor", `Fake: !isVendors(cfg.apiURL)`, `Fake: false`},
	{"a name that ends like the vendor's is the vendor's", `slices.Contains(vendorHosts, strings.TrimSuffix(strings.ToLower(u.Hostname()), "."))`, `strings.HasSuffix(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), "webank.com") || slices.Contains(vendorHosts, u.Hostname())`},
	{"the password of the proxy is shown", `return proxy.Scheme + "://" + proxy.Host`, `return proxy.String()`},
}

var commandResult = []defect{
	{"a verdict does not say that it is a fake's", `line("platform", answer.platform.String())`, `line("platform", "")`},
	{"a failure does not say that it is a fake's", "a.tell(from)\n", "_ = from\n"},
}

var commandOutput = []defect{
	{"control characters reach the terminal", `case !harmless(r):`, `case r == 0:`},
	{"control characters beyond ASCII reach the terminal in JSON", `if harmless(r) {`, `if harmless(r) || r > '~' {`},
	{"what others log reaches the terminal as it is", `say(l.w, "%s\n", strings.TrimSuffix(line, "\n"))`, `_, _ = io.WriteString(l.w, line)`},
}

var commandDoctor = []defect{
	{"a secret that nobody tried is proved", `d.add(nameSecret, checkSkipped, "not proved: a credential`, `d.add(nameSecret, checkOK, "a credential`},
	{"a secret that is refused is a warning", `d.add(nameSecret, checkFailed, "not proved: %s"`, `d.add(nameSecret, checkWarning, "not proved: %s"`},
	{"a refresh that came too soon is a success", "d.tooSoon = refused\n", ""},
}

var commandDoctorRedis = []defect{
	{"a replica will do", `case info["role"] == "slave":`, `case info["role"] == "never":`},
	{"slots that nobody serves are not missed", `if served < slots {`, `if served < 0 {`},
	{"nobody tries to extend a lock", `err = s.redis.PExpire(ctx, s.redis.probeKey(), probeLife).Err()`, `err = ctx.Err()`},
}

var commandAuthority = []defect{
	{"the sandbox's authority speaks for every name", `PermittedDNSDomainsCritical: true, PermittedDNSDomains: names,`, ``},
	{"the sandbox's authority is another one after a restart", `[]byte(secret), nil,`, `[]byte(secret+time.Now().String()), nil,`},
}

var commandSandbox = []defect{
	{"nobody is told that the sandbox listens to everybody", `!ok || !tcp.IP.IsLoopback()`, `!ok || tcp.IP == nil`},
	{"the sandbox prints commands that the shell runs", `if needsNoQuotes(text) {`, `if text != "" {`},
}

var commandValues = []defect{
	{"parameters that are not signed are not tried encoded", `value := coding.change(p.value)`, `value := p.value`},
	{"undefined sorts like a text", `candidate{why: why, pieces: append(slices.Clone(pieces), nothing)})`, `candidate{why: why, pieces: pieces})`},
}

var commandHash = []defect{
	{"the key of an HMAC is among its values, always", `[][]pair{without(v.sorted()), v.sorted(), without(v.carried)}`, `[][]pair{v.sorted(), v.sorted(), without(v.carried)}`},
}

var sqlStore = []defect{
	{"one attempt too many", `attempts > int64(n.Attempts)`, `attempts > int64(n.Attempts)+1`},
	{"another under way does not refuse", `cmp.Or(err, checks.ErrUnderWay)`, `err`},
	{"a verdict may change", `old.Version != c.Version || old.State.Final() &&`, `old.Version != c.Version || false &&`},
	{"the return is stamped at every write", `if next.State == checks.Returned && old.ReturnedAt.IsZero() {`, `if next.State == checks.Returned {`},
	{"a write with an owner needs no claim", `if owner != "" {`, `if false {`},
	{"final checks are claimed although undecided are asked for", `!(undecided && decided == 1)`, `true`},
	{"candidates in the order of their states", `return cmp.Compare(a.due, b.due)`, `return 0`},
	{"a candidate that another worker took is claimed, too", `			lost = true
`, `			*claimed = append(*claimed, r.check)
`},
	{"a worker that lost all candidates goes away", `for range 5 {`, `for range 1 {`},
	{"a second renewal within a millisecond is a lost claim", `QueryRowContext(ctx, s.held, orderNo, owner).Scan(&one); !errors.Is(err, sql.ErrNoRows)`, `QueryRowContext(ctx, s.held, orderNo, "").Scan(&one); !errors.Is(err, sql.ErrNoRows)`},
	{"Delete of another version is fine", `return cmp.Or(err, checks.ErrConflict)
		}
		return nil`, `return err
		}
		return nil`},
}

var sqlStatements = []defect{
	{"a claim outlives its lease", `held = ` + "`order_no = ? AND claimed_by = ? AND claimed_until > {now}`", `held = ` + "`order_no = ? AND claimed_by = ? AND claimed_until > 0`"},
	{"anybody's claim will do", `held = ` + "`order_no = ? AND claimed_by = ?", `held = ` + "`order_no = ? AND claimed_by >= ?"},
	{"a claimed check is claimed again", `
			WHERE order_no = ? AND version = ? AND due_at <= {now} AND claimed_until <= {now}`, `
			WHERE order_no = ? AND version = ? AND due_at <= {now}`},
	{"a check that changed meanwhile is claimed as it was", `
			WHERE order_no = ? AND version = ? AND due_at <= {now} AND claimed_until <= {now}`, `
			WHERE order_no = ? AND version <> ? + 1000000 AND due_at <= {now} AND claimed_until <= {now}`},
	{"two writers of one version", "update:   d.statement(updated + ` WHERE order_no = ? AND version = ?`)", "update:   d.statement(updated + ` WHERE order_no = ? AND version >= ?`)"},
	{"the end of a check leaves its user under way", `THEN NULL ELSE under_way END`, `THEN under_way ELSE under_way END`},
	{"an old check is under way for ever", `SET under_way = NULL WHERE under_way = ? AND created_at <= {now} - ?`, `SET under_way = NULL WHERE under_way = ? AND created_at <= {now} * 0 - ?`},
	{"attempts of 23 hours count", `AND created_at > {now} - ?)`, `AND created_at > {now} + 3600000 - ?)`},
	{"a write leaves its claim", `claimed_by = '', claimed_until = 0
			WHERE order_no = ? AND version = ?`, `claimed_by = claimed_by
			WHERE order_no = ? AND version = ?`},
	{"a plan that sorts what is due", `ORDER BY webanklive_checks.due_at`, `ORDER BY COALESCE(due_at, 0)`},
	{"NUL keeps a verdict out of the database", `strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")`, `strings.ToValidUTF8(s, "\uFFFD")`},
}

var sqlSchema = []defect{
	{"MySQL's names ignore case and blanks", `VARBINARY(255)`, `VARCHAR(255)`},
	{"the clock of PostgreSQL moves within a statement", `statement_timestamp()`, `clock_timestamp()`},
	{"the clock of MySQL depends on the time zone", `UTC_TIMESTAMP(3)`, `NOW(3)`},
	{"two under way for one user", `CONSTRAINT webanklive_checks_under_way UNIQUE (under_way)`, `CONSTRAINT webanklive_checks_under_way UNIQUE (order_no, under_way)`},
	{"no index for what is due", "due, user = `(decided, due_at)`", "due, user = `(decided, tries)`"},
	{"Migrate believes in any table", `		_, err = conn.ExecContext(ctx, s.present)
		return err
	})`, `		return nil
	})`},
}

var sqlErrors = []defect{
	{"nothing is tried again", `if try == tries || !prevented(err) {`, `if true {`},
	{"a file that stays locked is waited for without end", `if try == tries || !prevented(err) {`, `if !prevented(err) {`},
	{"PostgreSQL's errors quote values", "aboutValue  = regexp.MustCompile(`^2[23]|", "aboutValue  = regexp.MustCompile(`^-|"},
	{"MySQL's errors quote values", `\((22|23|HY)|Error \d+:`, `\((-)|Error \d+:`},
	{"names of any length", `len(name) > longKey || `, ``},
}

var checksService = []defect{
	{"a check of another session is found", `subtle.ConstantTimeCompare([]byte(c.Session), []byte(hash(session))) != 1`, `subtle.ConstantTimeCompare(nil, nil) != 1`},
	{"the session itself is stored", `Session: hash(req.Session),`, `Session: req.Session,`},
	{"an attempt without a link stays", `if !launched {`, `if !launched && false {`},
	{"an attempt whose answer was lost stays", `errors.Is(err, ErrUnderWay) || errors.Is(err, ErrTooMany) {`, `err != nil {`},
	{"a row that lags is not waited for", `case try == 4:`, `case try == 0:`},
	{"an unsigned callback waits for no row", `case missing && (err == nil || unsigned):`, `case missing && err == nil:`},
	{"a reload is judged again", `case c.Signed, c.State.Final(), c.State == Returned && unsigned:`, `case c.State == Returned && unsigned:`},
	{"an unsigned callback counts as signed", `cb.Code, !unsigned, 0`, `cb.Code, true, 0`},
	{"a return right after a query is asked about at once", `if c.Version > 1 {`, `if false {`},
	{"a burst of two seconds", `max(1, int(cfg.Rate))`, `max(1, int(2*cfg.Rate))`},
	{"an order number that starts with a digit", `return "L" + rand.Text()`, `return "1" + rand.Text()`},
}

var checksRun = []defect{
	{"a check is claimed at the moment that it is due", "at.Add(w.due + rounding)", "at.Add(w.due)"},
	{"claims are not renewed", `end, delay = began.Add(certain), renewEvery`, `return`},
	{"a worker that cannot renew goes on", `	defer drop()
	end :=`, `	end :=`},
	{"a worker relies on its claim to the end", `certain      = lease - askEvery - grace`, `certain      = lease`},
	{"what was claimed is not released", `return s.store.Release(ctx, w.check.OrderNo, w.owner, askEvery)`, `return nil`},
	{"a panic ends the process", `if p := recover(); p != nil {`, `if p := any(nil); p != nil {`},
	{"a function that ignores its context is waited for", `case <-late.C:`, `case <-(chan time.Time)(nil):`},
	{"an idle process asks every second", `idlePoll     = 5 * time.Second`, `idlePoll     = time.Second`},
	{"a verdict is written once only if the store is there at once", `|| !pause(ctx, delay) {`, `|| true {`},
	{"a stop cuts the last write", `stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)`, `stop, cancel := context.WithTimeout(ctx, storeTimeout)`},
}

var checksStep = []defect{
	{"a pass without a callback is Passed", `end := Abandoned //`, `end := Passed //`},
	{"no result after a signed 0 ends at once", `case age < noResultFor || c.Tries < noResults:`, `case false:`},
	{"time that the platform was away counts as an answer", `case age < noResultFor || c.Tries < noResults:`, `case age < noResultFor:`},
	{"another way at the first answer", `case pageError && c.Tries < 2:`, `case false:`},
	{"a refusal ends a check at once", `if age < refusedFor {`, `if false {`},
	{"a refusal is asked about for ever", `if age < refusedFor {`, `if true {`},
	{"one second between two queries", `min(max(age/4, askEvery), time.Minute) + spread(askEvery/8)`, `time.Second`},
	{"no rate for verdicts", `if err := s.limit.Wait(ctx); err != nil {
		return c, 0, err`, `if err := ctx.Err(); err != nil {
		return c, 0, err`},
	{"no rate for media", `if err := s.limit.Wait(ctx); err != nil {
		return nil, err`, `if err := ctx.Err(); err != nil {
		return nil, err`},
	{"evidence waits for OnConcluded", `if c.Evidence == EvidencePending && ctx.Err() == nil {`, `if c.Concluded && c.Evidence == EvidencePending && ctx.Err() == nil {`},
	{"evidence is given up at once", `>= evidenceFor:`, `>= 0:`},
	{"evidence is asked for without end", `>= evidenceFor:`, `>= 1000*evidenceFor:`},
	{"evidence of those who failed", `c = c.decided(NotPassed, res)`, `c = c.decided(NotPassed, res)
		c.Evidence = EvidencePending`},
	{"rows of a day are swept", `keepAtLeast   = 24 * time.Hour`, `keepAtLeast   = time.Hour`},
	{"a row is swept though OnConcluded failed", `case c.Concluded && s.sweepDue(w) == 0:`, `case s.sweepDue(w) == 0:`},
	{"files outlive their row", `err = try(ctx, concludeLimit, func(ctx context.Context) error { return s.cfg.Evidence.Remove(ctx, c.OrderNo) })`, `err = nil`},
}

var evidenceDirectory = []defect{
	{"half of the evidence is enough", `files.Photo != "" && files.Video != ""`, `files.Photo != "" || files.Video != ""`},
	{"Remove leaves one of the two files", `for _, path := range (&file{base: base}).names(d.dir) {`, `for _, path := range (&file{base: bases(orderNo)[0]}).names(d.dir) {
			_ = base`},
}
