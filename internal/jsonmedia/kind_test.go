package jsonmedia

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKind_TellsWhatReallyComesAndGuessesNothing(t *testing.T) {
	t.Parallel()
	ftyp := func(brands ...string) string {
		box := "ftyp" + brands[0] + "\x00\x00\x00\x00" + strings.Join(brands[1:], "")
		return "\x00\x00\x00" + string(rune(4+len(box))) + box + "\x00\x00\x00\x08mdat"
	}
	for head, want := range map[string]string{
		"\xFF\xD8\xFF\xE0\x00\x10JFIF":                       "image/jpeg",
		"\xFF\xD8\xFF\xE1":                                   "image/jpeg",
		"\x89PNG\r\n\x1A\n\x00\x00\x00\x0DIHDR":              "image/png",
		"BM\x36\x00\x0C\x00\x00\x00\x00\x00":                 "image/bmp",
		"GIF87a\x01\x00":                                     "image/gif",
		"GIF89a\x01\x00":                                     "image/gif",
		"RIFF\x24\x00\x00\x00WEBPVP8 ":                       "image/webp",
		"RIFF\x24\x00\x00\x00AVI LIST":                       "video/x-msvideo",
		"RIFF\x24\x00\x00\x00WAVEfmt ":                       "",
		"\x1A\x45\xDF\xA3\x9FB\x86\x81\x01B\x82\x84webm":     "video/webm",
		"\x1A\x45\xDF\xA3\xA3B\x86\x81\x01B\x82\x88matroska": "",
		ftyp("isom", "isom", "iso2", "avc1", "mp41"):         "video/mp4",
		ftyp("mp42", "isom"):                                 "video/mp4",
		ftyp("iso5"):                                         "video/mp4",
		ftyp("M4V "):                                         "video/mp4",
		ftyp("qt  ", "qt  "):                                 "video/quicktime",
		ftyp("heic", "mif1", "heic"):                         "image/heic",
		ftyp("heix"):                                         "image/heic",
		ftyp("mif1", "heic"):                                 "image/heic",
		ftyp("msf1", "hevc"):                                 "image/heic",
		ftyp("mif1", "avif", "miaf"):                         "",
		ftyp("avif", "mif1"):                                 "",
		ftyp("M4A "):                                         "",
		ftyp("crx "):                                         "",
		"\x00\x00\x00\x6Cmoovmvhd":                           "video/quicktime",
		"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat":           "video/quicktime",
		"\x00\x00\x10\x00mdat\x00\x00\x00\x00":               "video/quicktime",
		"%PDF-1.7\n%\xE2\xE3\xCF\xD3":                        "",
		"<html><body></body>":                                "",
		"\x00\x00\x00\x18ftyp":                               "",
		"\xFF\xD8":                                           "",
		"":                                                   "",
	} {
		assert.Equal(t, want, Kind([]byte(head)), "%q", head)
	}
}

// short is one byte less than the smallest medium, enough one that is just long enough.
var (
	short  = base64.StdEncoding.EncodeToString(noise(63))
	enough = base64.StdEncoding.EncodeToString(noise(64))
)

func TestMin_WhatIsShorterCountsAsAbsent(t *testing.T) {
	t.Parallel()
	for body, size := range map[string]int64{
		`{"photo":"null","code":"0"}`:                                       0,
		`{"photo":"none","code":"0"}`:                                       0,
		`{"photo":"` + short + `","code":"0"}`:                              0,
		`{"photo":"` + enough + `","code":"0"}`:                             64,
		`{"photo":"` + enough[:40] + "\r\n" + enough[40:] + `","code":"0"}`: 64,
		`{"photo":"null","result":{"photo":"` + enough + `"},"code":"0"}`:   64,
		`{"photo":"` + enough + `","result":{"photo":"null"},"code":"0"}`:   64,
		`{"photo":"` + enough + `","result":{"photo":""},"code":"0"}`:       64,
	} {
		for window := maxEscape; window < 150; window += 23 {
			w := &checkedWriter{t: t}
			obj, err := scanWindow(strings.NewReader(body), Options{
				Fields: testFields, Nested: "result", Media: map[string]Sink{"photo": ToWriter(w)}, Min: 64,
			}, window)
			require.NoError(t, err, body)
			assert.Equal(t, size, int64(w.Len()), "%s, window of %d", body, window)
			assert.Equal(t, size, obj.Media["photo"].Size)
			assert.Equal(t, "0", obj.Top.Get("code"))
			if size > 0 {
				assert.Equal(t, noise(64), w.Bytes())
				assert.Equal(t, noise(64), obj.Media["photo"].Head)
			}

			obj, err = scanWindow(strings.NewReader(body), Options{
				Fields: testFields, Nested: "result", Media: map[string]Sink{"photo": ToMemory()}, Min: 64,
			}, window)
			require.NoError(t, err, body)
			assert.Equal(t, size, int64(len(obj.Media["photo"].Data)))
			_, there := obj.Media["photo"]
			assert.Equal(t, size > 0, there)
		}
	}
}

func TestMin_NothingReachesTheWriterOfAFieldThatBreaksBeforeIt(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"photo":"` + short + `!`, `{"photo":"` + short[:60], `{"photo":"` + short[:60] + ` ` + short[60:] + `"}`} {
		w := &checkedWriter{t: t}
		obj, err := Scan(strings.NewReader(body), Options{Media: map[string]Sink{"photo": ToWriter(w)}, Min: 64})
		var bad *MediaError
		require.ErrorAs(t, err, &bad, body)
		assert.Zero(t, w.Len())
		assert.Empty(t, obj.Media)
	}
}

func TestMin_TwoThatAreLongEnoughAreTwo(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"photo":"` + enough + `","photo":"` + enough + `"}`,
		`{"photo":"` + enough + `","photo":"` + strings.Repeat("!", 65) + `"}`,
	} {
		_, err := Scan(strings.NewReader(body), Options{Media: map[string]Sink{"photo": ToWriter(&bytes.Buffer{})}, Min: 64})
		require.ErrorIs(t, err, ErrTwice, body)
	}
}
