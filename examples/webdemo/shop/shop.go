// Package shop is a partner's web shop with one thing on sale: a liveness check, from the start page to the verdict. It
// shows what package checks leaves to a site: who is asking, forms, pages, and what goes into them.
//
//   - A check belongs to the browser that started it: a signed, HttpOnly, SameSite=Lax cookie.
//   - The link of a launch is in one redirect and nowhere else: not in a page, not in a log.
//   - Pages read the store. What the platform answers decides, and a worker asks it.
//   - Who does not pass learns nothing that helps to try again with a better fake.
//
// Checks live in memory, because this is a demonstration; a shop keeps them in its database.
package shop

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

// Config is what a shop needs. Client and the two URLs are required.
type Config struct {
	Client    *webanklive.Client
	PublicURL string // where browsers reach this shop, "http://localhost:8080" for instance
	H5URL     string // the platform's browser host: where a launch redirects to

	// Fake says on every page that the platform is not the real one, and shows photo and video for ten minutes to the
	// browser that was checked, if it runs on this machine.
	Fake bool

	ShowResultPage bool          // let the platform show its result page before it sends the browser back
	UnderWay       time.Duration // how long a check that has not ended refuses another, the two minutes of a link unless set
	Log            *slog.Logger  // silent unless set
}

// Shop serves the pages. It is safe for concurrent use. Close it to end what it does in the background.
type Shop struct {
	Config
	checks *checks.Service
	album  *album // nil: photo and video are not asked for
	mux    *http.ServeMux
	policy string // Content-Security-Policy of the pages
	secure bool   // cookies travel by https only
	key    []byte // of the signatures of cookies and form tokens

	stop  context.CancelFunc
	ended chan struct{} // closed when Run has returned

	starting singleflight.Group // by form token
	mu       sync.Mutex
	clicks   map[string]click // guarded by mu; by form token: the links of the last seconds
}

// New returns a shop. Its signing key is new, so a restart signs every browser out.
func New(cfg Config) (*Shop, error) {
	public, err := url.Parse(cfg.PublicURL)
	platform, err2 := url.Parse(cfg.H5URL)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	if cfg.Client == nil || public.Host == "" || platform.Host == "" {
		return nil, errors.New("shop: a client, the public URL and the platform's URL are required")
	}
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	cfg.UnderWay = cmp.Or(cfg.UnderWay, 2*time.Minute)
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	s := &Shop{
		Config: cfg, mux: http.NewServeMux(), secure: public.Scheme == "https", key: make([]byte, 32),
		policy: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; " +
			"connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' " + formTarget(platform),
		clicks: map[string]click{}, ended: make(chan struct{}),
	}
	rand.Read(s.key) // never fails since Go 1.24
	settings := checks.Config{
		CallbackURL: func(orderNo string) string { return cfg.PublicURL + "/liveness/" + orderNo + "/done" },
		OnConcluded: s.concluded, UnderWay: cfg.UnderWay, Keep: 24 * time.Hour, Logger: cfg.Log,
	}
	if cfg.Fake {
		s.album = newAlbum()
		settings.Evidence = s.album
	}
	if s.checks, err = checks.New(cfg.Client, &boundedStore{Store: checks.NewMemoryStore()}, settings); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.ended)
		_ = s.checks.Run(ctx) // always nil
	}()

	s.mux.HandleFunc("GET /{$}", s.startPage)
	s.mux.HandleFunc("POST /liveness/start", s.start)
	s.mux.HandleFunc("GET /liveness/{order}/done", s.callback)
	s.mux.HandleFunc("GET /liveness/{order}", s.checkPage)
	s.mux.HandleFunc("GET /liveness/{order}/state", s.state)
	s.mux.HandleFunc("GET /liveness/{order}/{media}", s.media)
	s.mux.HandleFunc("GET /static/{file}", s.static)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.message(w, http.StatusNotFound, "没有这个页面", "There is no such page.")
	})
	return s, nil
}

// formTarget is where the start form may lead. Browsers apply form-action to the redirects after a form, too, so without
// it nobody gets through; and which other hosts the real platform redirects to, no page of the vendor says.
func formTarget(platform *url.URL) string {
	if platform.Scheme == "https" {
		return "https:"
	}
	return platform.Scheme + "://" + platform.Host
}

// concluded is what the shop does about a verdict: it writes it into its log, with what its pages do not say.
func (s *Shop) concluded(ctx context.Context, c checks.Check) error {
	s.Log.InfoContext(ctx, "concluded", "order", c.OrderNo, "state", string(c.State), "code", c.Code, "score", c.LiveRate, "serial", c.BizSeqNo)
	return nil
}

// Close ends what runs in the background and waits for it, ten seconds at most.
func (s *Shop) Close() {
	s.stop()
	<-s.ended
}

// ServeHTTP sets what every reply needs. Nothing may be cached: pages show one person's check, the redirect is a key,
// and the back button must ask again. No page, and no site that a redirect leads to, learns the address before it.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", s.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	s.mux.ServeHTTP(w, r)
}
