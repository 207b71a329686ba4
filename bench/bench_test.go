package main

// That every way decodes the same media, or its speed would say nothing, and that the whole program runs.

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if isChild, err := child(); isChild {
		exit(err)
		return
	}
	os.Exit(m.Run())
}

func TestEveryWayDecodesTheSameBytes(t *testing.T) { //nolint:paralleltest // measures time
	plat, err := startPlatform(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer plat.stop()
	f, err := newFetcher(t.Context(), plat.Plain, plat.AppID, plat.Secret)
	if err != nil {
		t.Fatal(err)
	}
	wantPhoto, wantVideo := sha256.Sum256(media(photoSize)), sha256.Sum256(media(largeSize)[:middleSize])
	check := func(name, order string, photo, video []byte, err error) {
		t.Helper()
		switch {
		case err != nil:
			t.Errorf("%s of %s: %v", name, order, err)
		case sha256.Sum256(photo) != wantPhoto || sha256.Sum256(video) != wantVideo:
			t.Errorf("%s of %s: other bytes than were sent", name, order)
		}
	}
	for _, order := range []string{orderMiddle, orderSlashes, orderPluses, orderEscaped, orderWrapped, orderRawWrapped} {
		photo, video, err := f.stream(order)
		check(wayStream, order, photo, video, err)
		for _, name := range available(wayUsual, wayStd, wayExp, waySonic, wayMemory) {
			standard := name == wayUsual || name == wayStd || name == waySonic
			switch {
			case order == orderRawWrapped && name != wayMemory, // no JSON
				order == orderWrapped && !standard && name != wayMemory: // json/v2 refuses line breaks in Base64
				continue
			}
			photo, video, err := f.fetch(name, order)
			check(name, order, photo, video, err)
		}
	}
}

func TestSideBySideTakesTheBestTurn(t *testing.T) { //nolint:paralleltest // measures time
	turn := 0
	figures, err := sideBySide(4, 0, 1, []way{{"now and then slow", func() error {
		if turn++; turn%4 == 0 { // every second turn, because each warms up first
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if figures[0].wall > 10e6 {
		t.Errorf("the best turn took %v", time.Duration(figures[0].wall))
	}
	if _, err := sideBySide(1, 0, 4, []way{{"broken", func() error { return io.ErrUnexpectedEOF }}}); err == nil {
		t.Error("an error of a way is lost")
	}
}

func TestTableSaysWhatIsMissed(t *testing.T) { //nolint:paralleltest // measures time
	var tb table
	tb.add(row{what: "a", way: "b", targets: []target{atMost("≤ 2", 3, 2), atLeast("≥ 2", 3, 2), atMost("≤ 1", math.NaN(), 1)}})
	met, missed, unmeasured := tb.count()
	if got := fmt.Sprint(met, missed, unmeasured); got != "1 1 1" {
		t.Errorf("met, missed, unmeasured: %s", got)
	}
	var out bytes.Buffer
	tb.print(&out)
	if !strings.Contains(out.String(), "**NO**: ≤ 2 is 3.00; not measured: ≤ 1") {
		t.Errorf("the table says\n%s", &out)
	}
}
