package main

// The line that shows how much of photo and video has come. How much there is in all is not known: the platform does not say.

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// counter counts what is written to it.
type counter struct{ atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) {
	c.Add(int64(len(b)))
	return len(b), nil
}

// progress counts the bytes, and draws a line when standard error is a terminal.
type progress struct {
	photo, video counter
	waiting      atomic.Bool // the last answer was that there is no result
	started      time.Time
	stopped      chan struct{} // nil: nothing is drawn
	cleared      chan struct{}
}

const redrawEvery = 100 * time.Millisecond

// startProgress starts to draw, but not with -v: log lines would break the line that is redrawn.
func (a *app) startProgress() *progress {
	p := &progress{started: time.Now()}
	f, ok := a.terminal(a.errOut)
	if !ok || a.verbose {
		return p
	}
	p.stopped, p.cleared = make(chan struct{}), make(chan struct{})
	go p.draw(f, func() int {
		columns, _, err := term.GetSize(int(f.Fd()))
		if err != nil || columns <= 0 {
			return 80
		}
		return columns
	})
	return p
}

// stop clears the line.
func (p *progress) stop() {
	if p.stopped != nil {
		close(p.stopped)
		<-p.cleared
	}
}

func (p *progress) bytes() int64 { return p.photo.Load() + p.video.Load() }

func (p *progress) draw(w io.Writer, columns func() int) {
	defer close(p.cleared)
	redraw := time.NewTicker(redrawEvery)
	defer redraw.Stop()
	width, began := 0, p.started
	for {
		select {
		case <-p.stopped:
			say(w, "\r%*s\r", width, "")
			return
		case now := <-redraw.C:
			if p.bytes() == 0 {
				began = now
			}
			line := []rune(p.line(now.Sub(p.started), now.Sub(began)))
			line = line[:min(len(line), max(columns()-1, 0))] // one that wraps cannot be drawn over
			width = max(width, len(line))
			say(w, "\r%s%s", string(line), strings.Repeat(" ", width-len(line)))
		}
	}
}

func (p *progress) line(elapsed, receiving time.Duration) string {
	if p.bytes() == 0 {
		what := "asking the platform"
		if p.waiting.Load() {
			what = "not there yet, asking again"
		}
		return fmt.Sprintf("%s  %s", what, elapsed.Round(time.Second))
	}
	speed := int64(float64(p.bytes()) / max(receiving, redrawEvery).Seconds())
	return fmt.Sprintf("photo %s  video %s  %s/s  %s",
		size(p.photo.Load()), size(p.video.Load()), size(speed), elapsed.Round(time.Second))
}

// size returns n as people read it.
func size(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1<<10 && unit < len(binaryUnits)-1 {
		value, unit = value/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, binaryUnits[unit])
}

const binaryUnits = "KMGT"
