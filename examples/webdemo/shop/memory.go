package shop

// What is kept in memory, and its bounds.

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/checks"
)

const (
	maxChecks = 1000 // in a day; a shop's database has no such bound

	maxPictures  = 8
	keepPictures = 10 * time.Minute
	maxPhoto     = 4 << 20
	maxVideo     = 24 << 20
)

var errFull = errors.New("shop: the memory of this demonstration is full")

// boundedStore refuses new checks rather than forget one that is under way.
type boundedStore struct {
	checks.Store
	mu sync.Mutex
	n  int
}

func (b *boundedStore) Create(ctx context.Context, n checks.NewCheck) (checks.Check, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n >= maxChecks {
		return checks.Check{}, errFull
	}
	c, err := b.Store.Create(ctx, n)
	if err == nil {
		b.n++
	}
	return c, err
}

func (b *boundedStore) Delete(ctx context.Context, orderNo string, version int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.Store.Get(ctx, orderNo)
	if deleted := b.Store.Delete(ctx, orderNo, version); deleted != nil || err != nil {
		return deleted
	}
	b.n--
	return nil
}

// pictures are the photo and video of a check.
type pictures struct {
	photo, video         []byte
	photoType, videoType string
	since                time.Time
}

// album is a checks.Evidence that forgets: it keeps the newest few, for ten minutes.
type album struct {
	mu   sync.Mutex
	kept map[string]pictures // guarded by mu; by order number
	now  func() time.Time
}

var _ checks.Evidence = (*album)(nil)

func newAlbum() *album { return &album{kept: map[string]pictures{}, now: time.Now} }

// of returns what is kept of a check.
func (a *album) of(orderNo string) (pictures, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep()
	p, ok := a.kept[orderNo]
	return p, ok
}

// sweep must be called with mu held.
func (a *album) sweep() {
	for orderNo, p := range a.kept {
		if a.now().Sub(p.since) >= keepPictures {
			delete(a.kept, orderNo)
		}
	}
}

// Save keeps both, or nothing: it is called again.
func (a *album) Save(ctx context.Context, orderNo string, fetch func(context.Context, webanklive.LiveMediaRequest) (*webanklive.LiveResult, error)) (bool, error) {
	photo, video := &limited{max: maxPhoto}, &limited{max: maxVideo}
	res, err := fetch(ctx, webanklive.LiveMediaRequest{OrderNo: orderNo, Photo: photo, Video: video})
	if err != nil || len(photo.content) == 0 || len(video.content) == 0 {
		return false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep()
	for len(a.kept) >= maxPictures {
		oldest := ""
		for orderNo, p := range a.kept {
			if oldest == "" || p.since.Before(a.kept[oldest].since) {
				oldest = orderNo
			}
		}
		delete(a.kept, oldest)
	}
	a.kept[orderNo] = pictures{photo.content, video.content, res.PhotoType, res.VideoType, a.now()}
	time.AfterFunc(keepPictures, func() { a.of(orderNo) }) // sweeps, also when nobody asks
	return true, nil
}

// Remove forgets a check's.
func (a *album) Remove(_ context.Context, orderNo string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.kept, orderNo)
	return nil
}

// limited holds what is written to it, up to max bytes.
type limited struct {
	content []byte
	max     int
}

var _ io.Writer = (*limited)(nil)

func (l *limited) Write(p []byte) (int, error) {
	if len(l.content)+len(p) > l.max {
		return 0, errFull
	}
	l.content = append(l.content, p...)
	return len(p), nil
}
