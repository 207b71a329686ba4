package main

// Defects in the credential: cache, mints, stores, sources.

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

var store = []defect{
	{"Load hands out the store's own bytes", `return bytes.Clone(entry.value)`, `return entry.value`},
	{"the store keeps the caller's bytes", `bytes.Clone(next), time.Time{}`, `next, time.Time{}`},
	{"values do not expire", `!entry.expires.IsZero() && !time.Now().Before(entry.expires)`, `!entry.expires.IsZero() && time.Now().IsZero()`},
	{"a value without a life expires at once", `if ttl > 0 {`, `if ttl >= 0 {`},
	{"the lock has room for two", `lock: make(chan struct{}, 1)`, `lock: make(chan struct{}, 2)`},
	{"a failed update stores", "case err != nil:\n\t\treturn nil, err\n\tcase next == nil:", "case err != nil && next == nil:\n\t\treturn nil, err\n\tcase next == nil:"},
}
