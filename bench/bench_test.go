package main

// That every way decodes the same media, or its speed would say nothing, and that the whole program runs.

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/webanklive/webanklive"
)

func TestMain(m *testing.M) {
	if isChild, err := child(); isChild {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestFetch_DecodesTheSameBytesEveryWay(t *testing.T) { //nolint:paralleltest // measures time
	plat, err := startPlatform()
	if err != nil {
		t.Fatal(err)
	}
	defer plat.stop()
	f, err := newFetcher(plat.Plain)
	if err != nil {
		t.Fatal(err)
	}
	wantPhoto, wantVideo := media(photoSize), media(middleSize)
	check := func(name, order string, photo, video []byte, err error) {
		t.Helper()
		switch {
		case err != nil:
			t.Errorf("%s of %s: %v", name, order, err)
		case !bytes.Equal(photo, wantPhoto) || !bytes.Equal(video, wantVideo):
			t.Errorf("%s of %s: other bytes than were sent", name, order)
		}
	}
	for _, order := range []string{orderMiddle, orderSlashes, orderPluses, orderEscaped, orderWrapped, orderRawWrapped} {
		var photo, video bytes.Buffer
		_, err := f.sdk.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: order, Photo: &photo, Video: &video})
		check(wayStream, order, photo.Bytes(), video.Bytes(), err)
		for _, name := range available(wayUsual, wayStd, wayExp, waySonic, wayMemory) {
			notJSON := order == orderRawWrapped && name != wayMemory
			refused := order == orderWrapped && name == wayExp // json/v2 takes no line breaks in Base64
			if !notJSON && !refused {
				photo, video, err := f.fetch(name, order)
				check(name, order, photo, video, err)
			}
		}
	}
}

func TestSideBySide_TakesTheBestTurn(t *testing.T) { //nolint:paralleltest // measures time
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

func TestTable_SaysWhatIsMissed(t *testing.T) { //nolint:paralleltest // measures time
	var tb table
	tb.add(row{what: "a", way: "b", targets: []target{atMost("≤ 2", 3, 2), atLeast("≥ 2", 3, 2), atMost("≤ 1", math.NaN(), 1)}})
	var out bytes.Buffer
	met, missed, unmeasured := tb.print(&out)
	if got := fmt.Sprint(met, missed, unmeasured); got != "1 1 1" {
		t.Errorf("met, missed, unmeasured: %s", got)
	}
	if !strings.Contains(out.String(), "**NO**: ≤ 2 is 3.00; not measured: ≤ 1") {
		t.Errorf("the table says\n%s", &out)
	}
}
