package main

// Defects in the modules filestore, redisstore, sqlchecks and cmd/webanklive.

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
