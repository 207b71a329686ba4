// What the tests share: one body read in every way that must not matter.

package jsonmedia

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// outcome is all that a caller can see of a scan. Err is the whole text, so that offsets are compared too.
type outcome struct {
	Top, Nested map[string]string
	Media       map[string]field
	Err         string
	err         error
}

type field struct {
	Data, Head string
	Size       int64
}

var testFields = []string{"code", "msg", "orderNo"}

var testMedia = []string{"photo", "video"}

// readers are the ways in which the same bytes may arrive.
var readers = map[string]func(io.Reader) io.Reader{
	"whole":         func(r io.Reader) io.Reader { return r },
	"byte by byte":  iotest.OneByteReader,
	"odd chunks":    func(r io.Reader) io.Reader { return &chunks{r: r} },
	"end with data": iotest.DataErrReader,
	"halves":        iotest.HalfReader,
}

// chunks reads 1, 3, 5 … 4099 bytes at a time, with nothing in between now and then.
type chunks struct {
	r io.Reader
	n int
}

func (c *chunks) Read(p []byte) (int, error) {
	c.n += 2
	if c.n%10 == 0 {
		return 0, nil
	}
	return c.r.Read(p[:min(len(p), c.n%4100|1)])
}

// scanEvery reads body in every way of arrival, to writers and to memory, with its length known, unknown and wrong,
// requires that all agree, and returns what they agree on. Data is what the writers got.
func scanEvery(t testing.TB, body string) outcome {
	t.Helper()
	return scanEveryReader(t, int64(len(body)), func() io.Reader { return strings.NewReader(body) })
}

func scanEveryReader(t testing.TB, length int64, open func() io.Reader) outcome {
	t.Helper()
	first := scanToWriters(t, open(), Scan)
	for _, size := range []int{maxEscape, maxEscape + 1, 17, 64, 4099} {
		require.Equal(t, first.public(), scanToWriters(t, open(), through(size)).public(), "to writers, window of %d", size)
		require.Equal(t, first.public(), scanToMemory(open(), length, through(size)).public(), "to memory, window of %d", size)
	}
	lengths := []int64{length, -1, length / 2, length + 1000}
	if raceEnabled {
		lengths = lengths[:1] // that takes long enough
	}
	for how, wrap := range readers {
		require.Equal(t, first.public(), scanToWriters(t, wrap(open()), Scan).public(), "to writers, %s", how)
		for _, n := range lengths {
			require.Equal(t, first.public(), scanToMemory(wrap(open()), n, Scan).public(), "to memory, %s, length %d of %d", how, n, length)
		}
	}
	return first
}

// public leaves out what differs by design: a field that failed has no Data in memory.
func (o outcome) public() outcome {
	o.err = nil
	if o.Err != "" {
		m := map[string]field{}
		for name, f := range o.Media {
			f.Data = ""
			m[name] = f
		}
		o.Media = m
	}
	return o
}

// A scanFunc is Scan, or through(size).
type scanFunc func(io.Reader, Options) (*Object, error)

// through scans through a window of this size.
func through(size int) scanFunc {
	return func(r io.Reader, o Options) (*Object, error) {
		return scan(r, o, make([]byte, size), make([]byte, size+slack), nil)
	}
}

// options are those of most tests, with a sink for each media field.
func options(sink func(name string) Sink) Options {
	o := Options{Fields: testFields, Nested: "result", Media: map[string]Sink{}}
	for _, name := range testMedia {
		o.Media[name] = sink(name)
	}
	return o
}

func toMemory(string) Sink { return ToMemory() }

func scanToWriters(t testing.TB, r io.Reader, scan scanFunc) outcome {
	t.Helper()
	written := map[string]*checkedWriter{}
	obj, err := scan(r, options(func(name string) Sink {
		written[name] = &checkedWriter{t: t}
		return ToWriter(written[name])
	}))
	out := newOutcome(obj, err)
	for name, w := range written {
		f, ok := out.Media[name]
		require.Equal(t, int64(w.Len()), f.Size, "size of %s is what was written", name)
		if ok {
			f.Data = w.String()
			out.Media[name] = f
		}
	}
	return out
}

func scanToMemory(r io.Reader, length int64, scan scanFunc) outcome {
	opts := options(toMemory)
	opts.Length = length
	return newOutcome(scan(r, opts))
}

func newOutcome(obj *Object, err error) outcome {
	out := outcome{Top: byName(obj.Top), Nested: byName(obj.Nested), Media: map[string]field{}, err: err}
	for name, m := range obj.Media {
		out.Media[name] = field{Data: string(m.Data), Head: string(m.Head), Size: m.Size}
	}
	if err != nil {
		out.Err = err.Error()
	}
	return out
}

// odd stands for a field that could not be read.
const odd = "(odd)"

func byName(v Values) map[string]string {
	m := map[string]string{}
	for _, field := range v {
		m[field.Name] = field.Text
		if field.Odd {
			m[field.Name] = odd + field.Text
		}
	}
	return m
}

// checkedWriter fails the test on an empty Write.
type checkedWriter struct {
	bytes.Buffer
	t      testing.TB
	writes int
}

func (w *checkedWriter) Write(p []byte) (int, error) {
	w.writes++
	if len(p) == 0 {
		w.t.Error("empty Write")
	}
	return w.Buffer.Write(p)
}

// noise is n bytes that do not compress and are the same in every run.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}
