package main

// Replies with megabytes of media over loopback HTTP: speed and garbage, by size, and by style of the Base64.

import (
	"fmt"
	"go/version"
	"math"
	"runtime"
	"slices"
	"time"
)

// media compares all ways on replies of two sizes, of which a short run takes one.
func (b *bench) media() error {
	names := available(wayUsual, wayStd, wayExp, waySonic, wayMemory, wayStream, wayCopy, wayFloor)
	for _, kind := range []struct {
		what, order string
		size        float64 // decoded
		turns       int
	}{
		{"Media, 5 MB video", orderMiddle, middleSize + photoSize, b.pick(40, 2)},
		{"Media, 20 MB video", orderLarge, largeSize + photoSize, b.pick(15, 0)},
	} {
		if kind.turns == 0 {
			continue
		}
		var ways []way
		for _, name := range names {
			ways = append(ways, b.way(name, kind.order))
		}
		err := b.compare(kind.what, kind.turns, 15*time.Millisecond, 1, ways, func(r *row, i int, figures []figure) {
			fig, usual, floor := figures[i], figures[0], figures[len(figures)-1]
			r.result = fmt.Sprintf("%s MB/s, %s, CPU %s", number(b.speed(kind.order, fig)), nanoseconds(fig.wall), nanoseconds(fig.cpu))
			r.usual, r.floor = number(usual.wall/fig.wall), number(fig.wall/floor.wall)
			switch r.way {
			case wayMemory:
				r.targets = []target{
					timesUsual(usual.wall/fig.wall, 6, 2.5),
					atMost("≤ 1.1 × decoded + 1 MB allocated", fig.bytes, 1.1*kind.size+1e6),
				}
			case wayStream:
				r.targets = []target{
					timesUsual(usual.wall/fig.wall, 8, 4),
					atMost("≤ 3.2 × floor", fig.wall/floor.wall, 3.2),
					atMost("< 256 KB allocated", fig.bytes/1024, 256),
				}
				if sonic := slices.Index(names, waySonic); sonic >= 0 && kind.order == orderLarge {
					r.targets = append(r.targets, atMost("≤ sonic's time", fig.wall/figures[sonic].wall, 1))
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// speed is how many MB of the reply about order went over the wire in a second.
func (b *bench) speed(order string, fig figure) float64 { return b.Wire[order] / fig.wall * 1e3 }

// timesUsual is a target against encoding/json, which is about twice as fast since Go 1.27.
func timesUsual(got, before127, since127 float64) target {
	limit := before127
	if version.Compare(runtime.Version(), "go1.27") >= 0 {
		limit = since127
	}
	return atLeast("≥ "+number(limit)+" × usual", got, limit)
}

// styles compares the Base64 styles that need more than decoding: escapes and line breaks.
func (b *bench) styles() error {
	type style struct {
		what, order string
		plain       float64 // the share of plain's speed that is promised
	}
	var (
		ways    []way
		styleOf []style // of each way
	)
	for _, s := range []style{
		{"plain", orderMiddle, 0}, {`escapes \/`, orderSlashes, 0.45}, {`escapes \u002b`, orderPluses, 0.45},
		{`escapes \/ and \u002b`, orderEscaped, 0.3}, {`line breaks \r\n`, orderWrapped, 0.5},
		{"raw line breaks, no JSON", orderRawWrapped, 0.5},
	} {
		for _, name := range []string{wayUsual, wayMemory, wayStream} {
			if name != wayUsual || s.order != orderRawWrapped { // which encoding/json refuses
				ways, styleOf = append(ways, b.way(name, s.order)), append(styleOf, s)
			}
		}
	}
	return b.compare("", b.pick(16, 2), 15*time.Millisecond, 1, ways, func(r *row, i int, figures []figure) {
		find := func(name, order string) figure {
			for j, fig := range figures {
				if ways[j].name == name && styleOf[j].order == order {
					return fig
				}
			}
			return figure{wall: math.NaN()}
		}
		s, fig, usual := styleOf[i], figures[i], find(wayUsual, styleOf[i].order)
		speed := b.speed(s.order, fig)
		r.what, r.result = "Base64 with "+s.what, number(speed)+" MB/s"
		r.usual, r.floor = number(usual.wall/fig.wall), "–"
		if r.way == wayUsual {
			return
		}
		share := speed / b.speed(orderMiddle, find(r.way, orderMiddle))
		r.result += ", " + number(share) + " × plain"
		if s.plain > 0 {
			r.targets = []target{atLeast("≥ "+number(s.plain)+" × plain", share, s.plain)}
		}
		if s.plain > 0 && s.order != orderRawWrapped {
			r.targets = append(r.targets, atLeast("≥ 3 × usual", usual.wall/fig.wall, 3))
		}
	})
}
