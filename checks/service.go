package checks

// What handlers call: Start, Return, Check. They wait for the store and for at most one call to the platform.

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/webanklive/webanklive"
)

// Client is what a [Service] needs of a [webanklive.Client].
type Client interface {
	BuildLiveLoginURL(context.Context, webanklive.LiveLoginRequest) (string, error)
	BuildMiniProgramLaunch(context.Context, webanklive.MiniProgramRequest) (*webanklive.MiniProgramLaunch, error)
	VerifyCallback(ctx context.Context, query url.Values, orderNo string) (*webanklive.Callback, error)
	GetLiveResult(context.Context, webanklive.LiveResultRequest) (*webanklive.LiveResult, error)
	StreamLiveMedia(context.Context, webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)
}

// Evidence keeps the photo and video of checks; evidence.Directory is one that keeps files. It must be safe for
// concurrent use.
type Evidence interface {
	// Save asks for what is missing of orderNo's photo and video, by one call of fetch, keeps it, and reports whether
	// both are kept now. It is called again until they are, also after a crash, and must not keep one of them twice.
	// fetch is StreamLiveMedia within the limits of [Config].
	Save(ctx context.Context, orderNo string, fetch func(context.Context, webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)) (complete bool, err error)

	// Remove deletes what is kept of orderNo. Nothing to delete is no error.
	Remove(ctx context.Context, orderNo string) error
}

// Config says how checks are run. The zero value of every field but CallbackURL means its default. All replicas should
// have the same.
type Config struct {
	// CallbackURL returns the absolute http or https URL that the browser comes back to, with the order number in its
	// path. It is required.
	CallbackURL func(orderNo string) string

	// OnConcluded is called with every check that became final, for the partner to act on. It is called until it returns
	// nil, at least once for each check, by one replica at a time, and for a minute at most. Nil: nothing to do.
	OnConcluded func(context.Context, Check) error

	// Evidence keeps photo and video of those who passed; nil keeps none.
	Evidence Evidence

	// Worker is the client that Run asks with; nil: the client that New gets. With WithMaxRetries(0), and on the same
	// credential store, it keeps repeats within Rate.
	Worker Client

	Rate     float64       // queries a second that Run makes in this process, 5; the vendor's limit divided by the replicas
	AskAfter time.Duration // when a check whose browser did not return is asked about, 15 minutes
	UnderWay time.Duration // how long a check that has not ended refuses another of the user's, 15 minutes
	Attempts int           // checks of a user in 24 hours, 10

	// Keep is how long a check and its evidence stay after the verdict. They stay at least until the check is a day old and
	// OnConcluded succeeded. 0 keeps them for ever. A change of Keep applies to checks that end later.
	Keep time.Duration

	// Logger gets what Run does by itself; its lines name order numbers, no users and no secrets. Nil is silent.
	Logger *slog.Logger
}

// Service runs the checks of a site. It is safe for concurrent use. Make one with [New] in each process.
type Service struct {
	client Client
	store  Store
	cfg    Config
	limit  *rate.Limiter
	wake   chan struct{} // has room for one: a check of this process became due
}

// New returns a Service. It uses no network. What is wrong with cfg matches [webanklive.ErrInvalidRequest].
func New(c Client, s Store, cfg Config) (*Service, error) {
	var problems []string
	require := func(ok bool, rule string) {
		if !ok {
			problems = append(problems, rule)
		}
	}
	require(c != nil, "the client must not be nil")
	require(s != nil, "the store must not be nil")
	require(cfg.Rate >= 0 && cfg.AskAfter >= 0 && cfg.UnderWay >= 0 && cfg.Attempts >= 0 && cfg.Keep >= 0,
		"Rate, AskAfter, UnderWay, Attempts and Keep must not be negative")
	if cfg.CallbackURL == nil {
		require(false, "CallbackURL must be set")
	} else {
		orderNo := newOrderNo()
		u, err := url.Parse(cfg.CallbackURL(orderNo))
		require(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.Contains(u.Path, orderNo),
			"CallbackURL must return an absolute http or https URL with the order number in its path")
	}
	if problems != nil {
		return nil, invalid("new", strings.Join(problems, "; "))
	}

	cfg.Rate = cmp.Or(cfg.Rate, 5)
	cfg.AskAfter = cmp.Or(cfg.AskAfter, 15*time.Minute)
	cfg.UnderWay = cmp.Or(cfg.UnderWay, 15*time.Minute)
	cfg.Attempts = cmp.Or(cfg.Attempts, 10)
	if cfg.Worker == nil {
		cfg.Worker = c
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		client: c, store: s, cfg: cfg,
		limit: rate.NewLimiter(rate.Limit(cfg.Rate), max(1, int(cfg.Rate))),
		wake:  make(chan struct{}, 1),
	}, nil
}

func invalid(op, rule string) error {
	return fmt.Errorf("checks: %s: %w: %s", op, webanklive.ErrInvalidRequest, rule)
}

// StartRequest describes one attempt.
type StartRequest struct {
	// UserID names the user, 1 to 32 of 0-9 A-Z a-z _ -; the platform gets it.
	UserID string

	// Session names this browser's session and who is signed in, together: it must change when another user signs in.
	// It must not be guessable, and is never shown: a hash of it is stored.
	Session string

	// Entry is the platform's page; the zero value is the H5 page, which works everywhere. MiniProgram asks for a launch
	// from a WeChat mini-program instead.
	Entry       webanklive.Entry
	MiniProgram bool

	// SkipResultPage sends the person straight back, without the platform's own result page.
	SkipResultPage bool
}

// Format shows the user for every verb, not the session.
func (r StartRequest) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "checks.StartRequest{UserID: %q}", r.UserID)
}

// LogValue does for slog what Format does for fmt.
func (r StartRequest) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// Launch is where the browser goes now. The URL is a key that opens one check within two minutes: redirect to it, and
// do not keep the URL. MiniProgram is set instead of URL when it was asked for. Formatted with fmt or slog it shows the order
// only.
type Launch struct {
	OrderNo, URL string
	MiniProgram  *webanklive.MiniProgramLaunch
}

// Format shows the order for every verb, not the link.
func (l Launch) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "checks.Launch{OrderNo: %q}", l.OrderNo) }

// LogValue does for slog what Format does for fmt.
func (l Launch) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(l)) }

// Start begins an attempt: its check is stored before the link is made. When no link can be made nothing stays behind.
//
// Errors: [ErrUnderWay], with the order number of the check under way if this session started it; [ErrTooMany];
// [webanklive.ErrInvalidRequest]; those of [webanklive.Client.BuildLiveLoginURL] and of the store, which are temporary.
func (s *Service) Start(ctx context.Context, req StartRequest) (Launch, error) {
	switch {
	case req.Session == "":
		return Launch{}, invalid("start", "Session must not be empty")
	case !consistsOf(req.UserID, "_-"):
		return Launch{}, invalid("start", "UserID must be 1 to 32 of 0-9 A-Z a-z _ -")
	}
	launch, launched := Launch{OrderNo: newOrderNo()}, false
	defer func() { // also when Create's answer was lost on the way
		if !launched {
			s.forget(ctx, launch.OrderNo)
		}
	}()
	c, err := s.store.Create(ctx, NewCheck{
		OrderNo: launch.OrderNo, UserID: req.UserID, Session: hash(req.Session),
		Due: s.cfg.AskAfter, UnderWay: s.cfg.UnderWay, Attempts: s.cfg.Attempts,
	})
	if errors.Is(err, ErrUnderWay) || errors.Is(err, ErrTooMany) {
		launched = true // nothing was created
	}
	if errors.Is(err, ErrUnderWay) && c.Session == hash(req.Session) {
		return Launch{OrderNo: c.OrderNo}, err
	}
	if err != nil {
		return Launch{}, err
	}
	if req.MiniProgram {
		launch.MiniProgram, err = s.client.BuildMiniProgramLaunch(ctx, webanklive.MiniProgramRequest{
			OrderNo: launch.OrderNo, UserID: req.UserID, SkipResultPage: req.SkipResultPage,
		})
	} else {
		launch.URL, err = s.client.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
			OrderNo: launch.OrderNo, UserID: req.UserID, CallbackURL: s.cfg.CallbackURL(launch.OrderNo), Entry: req.Entry,
			SkipResultPage: req.SkipResultPage,
		})
	}
	if err != nil {
		return Launch{}, err
	}
	launched = true
	return launch, nil
}

// forget removes an attempt that got no link; ctx may have ended.
func (s *Service) forget(ctx context.Context, orderNo string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	if err := s.write(ctx, func(ctx context.Context) error { return s.store.Delete(ctx, orderNo, 1) }); err != nil {
		s.logCheck(ctx, slog.LevelWarn, "checks: an attempt that got no link may stay under way", Check{OrderNo: orderNo}, err)
	}
}

// Return records that the browser is back: orderNo is from the path of the callback URL, query is what the platform's page
// appended. It decides nothing; Run asks for the verdict. Called again it returns the check as it is.
//
// Errors: [ErrNotFound] and [webanklive.ErrBadCallback] are final and change nothing; any other is temporary: let the
// browser repeat the request.
func (s *Service) Return(ctx context.Context, orderNo, session string, query url.Values) (Check, error) {
	for try := 0; ; try++ {
		c, err := s.find(ctx, orderNo, session)
		if err != nil && !errors.Is(err, errNoRow) {
			return Check{}, err
		}
		missing := err != nil
		cb, err := s.client.VerifyCallback(ctx, query, orderNo)
		unsigned := errors.Is(err, webanklive.ErrUnsignedCallback)
		switch {
		case missing && (errors.Is(err, webanklive.ErrBadCallback) || errors.Is(err, webanklive.ErrInvalidRequest)):
			return Check{}, ErrNotFound
		case missing && (err == nil || unsigned): // perhaps the read was served by a replica of the database that lags
			switch {
			case try == 4:
				return Check{}, ErrNotFound
			case !pause(ctx, 150*time.Millisecond<<try):
				return Check{}, ctx.Err()
			}
			continue
		case errors.Is(err, webanklive.ErrMalformedCallback), errors.Is(err, webanklive.ErrOtherOrder):
			return Check{}, err
		case c.Signed, c.State.Final(), c.State == Returned && unsigned:
			return c, nil // also for a reload whose signature can no longer be checked
		case err != nil && !unsigned:
			return Check{}, err
		}
		due := time.Duration(0)
		if c.Version > 1 {
			due = askEvery // a worker may have asked just now
		}
		c.State, c.Code, c.Signed, c.Tries = Returned, cb.Code, !unsigned, 0
		switch c, err = s.store.Update(ctx, c, "", due); {
		case err == nil:
			s.wakeRun()
			return c, nil
		case !errors.Is(err, ErrConflict) || try >= 4:
			return Check{}, err
		}
	}
}

// Check returns what a page may show. It only reads the store. Errors are those of Return.
func (s *Service) Check(ctx context.Context, orderNo, session string) (Check, error) {
	return s.find(ctx, orderNo, session)
}

// errNoRow is ErrNotFound for a check that does not exist at all.
var errNoRow = fmt.Errorf("%w", ErrNotFound)

// find returns the check of this session.
func (s *Service) find(ctx context.Context, orderNo, session string) (Check, error) {
	if !consistsOf(orderNo, "") || session == "" {
		return Check{}, ErrNotFound
	}
	c, err := s.store.Get(ctx, orderNo)
	switch {
	case errors.Is(err, ErrNotFound):
		return Check{}, errNoRow
	case err != nil:
		return Check{}, err
	case subtle.ConstantTimeCompare([]byte(c.Session), []byte(hash(session))) != 1:
		return Check{}, ErrNotFound
	}
	return c, nil
}

func (s *Service) wakeRun() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// newOrderNo returns an order number that cannot be guessed. It starts with a letter, so that no callback of another order can
// be rewritten into one for it.
func newOrderNo() string { return "L" + rand.Text() }

func hash(session string) string {
	sum := sha256.Sum256([]byte(session))
	return hex.EncodeToString(sum[:])
}

// consistsOf reports whether text is 1 to 32 ASCII letters, digits and characters of more.
func consistsOf(text, more string) bool {
	return len(text) >= 1 && len(text) <= 32 && !strings.ContainsFunc(text, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' || strings.ContainsRune(more, r))
	})
}

// pause waits for d, and reports whether ctx still lives then.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
