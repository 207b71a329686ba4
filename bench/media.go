package main

// Replies with megabytes of media over loopback HTTP: speed and garbage, by size, and by style of the Base64.

import (
	"fmt"
	"go/version"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"
)

// none stands for a way that there is not.
var none = figure{wall: math.NaN(), cpu: math.NaN()}

// media compares all ways on replies of two sizes.
func (b *bench) media() error {
	f, err := newFetcher(b.ctx, b.plat.Plain, b.plat.AppID, b.plat.Secret)
	if err != nil {
		return err
	}
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
			ways = append(ways, f.way(name, kind.order))
		}
		figures, err := sideBySide(kind.turns, 15*time.Millisecond, 1, ways)
		if err != nil {
			return err
		}
		usual, floor := figures[0], figures[len(figures)-1]
		for i, fig := range figures {
			r := costRow(kind.what, names[i], fig, usual, floor)
			r.result = fmt.Sprintf("%s MB/s, %s, CPU %s", number(wire(kind.order)/fig.wall*1e3), nanoseconds(fig.wall), nanoseconds(fig.cpu))
			switch names[i] {
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
			b.table.add(r)
		}
	}
	return nil
}

// timesUsual is a target against encoding/json, which is four times as fast since Go 1.27.
func timesUsual(got, before127, since127 float64) target {
	limit := before127
	if version.Compare(runtime.Version(), "go1.27") >= 0 {
		limit = since127
	}
	return atLeast("≥ "+number(limit)+" × usual", got, limit)
}

// styles compares the Base64 styles that need more than decoding: escapes and line breaks.
func (b *bench) styles() error {
	f, err := newFetcher(b.ctx, b.plat.Plain, b.plat.AppID, b.plat.Secret)
	if err != nil {
		return err
	}
	kinds := []struct {
		what, order string
		plain       float64 // the share of plain's speed that is promised
	}{
		{"plain", orderMiddle, 0}, {`escapes \/`, orderSlashes, 0.45}, {`escapes \u002b`, orderPluses, 0.45},
		{`escapes \/ and \u002b`, orderEscaped, 0.3}, {`line breaks \r\n`, orderWrapped, 0.5},
		{"raw line breaks, no JSON", orderRawWrapped, 0.5},
	}
	var ways []way
	for _, kind := range kinds {
		ways = append(ways, f.way(wayStream, kind.order), f.way(wayMemory, kind.order))
		if kind.order != orderRawWrapped { // which encoding/json refuses
			ways = append(ways, f.way(wayUsual, kind.order))
		}
	}
	figures, err := sideBySide(b.pick(16, 2), 15*time.Millisecond, 1, ways)
	if err != nil {
		return err
	}
	speed := func(order string, fig figure) float64 { return wire(order) / fig.wall * 1e3 }
	plainStream, plainMemory := speed(orderMiddle, figures[0]), speed(orderMiddle, figures[1])
	for _, kind := range kinds {
		stream, memory := figures[0], figures[1]
		figures = figures[2:]
		usual := none
		if kind.order != orderRawWrapped {
			usual, figures = figures[0], figures[1:]
			r := costRow("Base64 with "+kind.what, wayUsual, usual, usual, none)
			r.result = number(speed(kind.order, usual)) + " MB/s"
			b.table.add(r)
		}
		for _, sdk := range []struct {
			way   string
			fig   figure
			plain float64
		}{{wayMemory, memory, plainMemory}, {wayStream, stream, plainStream}} {
			r := costRow("Base64 with "+kind.what, sdk.way, sdk.fig, usual, none)
			share := speed(kind.order, sdk.fig) / sdk.plain
			r.result = fmt.Sprintf("%s MB/s, %s × plain", number(speed(kind.order, sdk.fig)), number(share))
			if kind.plain > 0 {
				r.targets = []target{atLeast("≥ "+number(kind.plain)+" × plain", share, kind.plain)}
			}
			if kind.plain > 0 && kind.order != orderRawWrapped {
				r.targets = append(r.targets, atLeast("≥ 3 × usual", usual.wall/sdk.fig.wall, 3))
			}
			b.table.add(r)
		}
	}
	return nil
}

// costRow fills what every comparison has.
func costRow(what, way string, fig, usual, floor figure) row {
	return row{
		what: what, way: way, bytes: size(fig.bytes), allocs: number(fig.allocs),
		usual: number(usual.wall / fig.wall), floor: number(fig.wall / floor.wall),
	}
}

// wire returns how long the reply about order is.
func wire(order string) float64 { return wireLengths()[order] }

var wireLengths = sync.OnceValue(func() map[string]float64 {
	lengths := map[string]float64{}
	for order, body := range replies() {
		lengths[order] = float64(len(body))
	}
	return lengths
})
