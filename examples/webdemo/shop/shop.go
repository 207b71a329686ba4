// Package shop is a partner's web shop with one thing on sale: a liveness check, from the start page to the photo and
// the video. It shows where each rule of the flow belongs in a server.
//
//   - A form token starts one launch, however often it is sent.
//   - A launch belongs to the browser that started it: a signed, HttpOnly, SameSite=Lax cookie.
//   - The callback only wakes the server up. What GetLiveResult answers decides, whatever the browser brought.
//   - The link of a launch is in one redirect and nowhere else: not in a page, not in a log.
//
// Orders live in memory, because this is a demonstration; a shop keeps them in its database.
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

	"github.com/webanklive/webanklive"
)

// Config is what a shop needs. Client and the two URLs are required.
type Config struct {
	Client    *webanklive.Client
	PublicURL string // where browsers reach this shop, "http://localhost:8080" for instance
	H5URL     string // the platform's browser host: where a launch redirects to

	ShowResultPage bool          // let the platform show its result page before it sends the browser back
	Patience       time.Duration // how long to wait for a result, 30 s unless set
	MediaPatience  time.Duration // how long to wait for photo and video after that, 30 s unless set
	Note           string        // a line at the foot of every page
	Log            *slog.Logger  // silent unless set
}

// Shop serves the pages. It is safe for concurrent use. Close it to end what it does in the background.
type Shop struct {
	Config
	mux    *http.ServeMux
	policy string // Content-Security-Policy of the pages
	secure bool   // cookies travel by https only
	key    []byte // of the signatures of cookies and form tokens

	background context.Context
	stop       context.CancelFunc
	running    sync.WaitGroup

	mu       sync.Mutex // guards everything below
	orders   map[string]*order
	launches map[string]*launch // by form token
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
	cfg.Patience = cmp.Or(cfg.Patience, 30*time.Second)
	cfg.MediaPatience = cmp.Or(cfg.MediaPatience, 30*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	s := &Shop{
		Config: cfg, mux: http.NewServeMux(), secure: public.Scheme == "https", key: make([]byte, 32),
		policy: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; " +
			"connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' " + formTarget(platform),
		orders: map[string]*order{}, launches: map[string]*launch{},
	}
	rand.Read(s.key) // never fails since Go 1.24
	s.background, s.stop = context.WithCancel(context.Background())

	s.mux.HandleFunc("GET /{$}", s.startPage)
	s.mux.HandleFunc("POST /liveness/start", s.start)
	s.mux.HandleFunc("GET /liveness/{order}/done", s.callback)
	s.mux.HandleFunc("GET /liveness/{order}", s.orderPage)
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

// Close ends what runs in the background and waits for it.
func (s *Shop) Close() {
	s.stop()
	s.running.Wait()
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
