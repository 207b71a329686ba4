package main

// Defects in the other packages of the root module, and the examples.

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

var evidenceDirectory = []defect{
	{"half of the evidence is enough", `files.Photo != "" && files.Video != ""`, `files.Photo != "" || files.Video != ""`},
	{"Remove leaves one of the two files", `for _, path := range (&file{base: base}).names(d.dir) {`, `for _, path := range (&file{base: bases(orderNo)[0]}).names(d.dir) {
			_ = base`},
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
