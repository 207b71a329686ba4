package jsonmedia

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
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
