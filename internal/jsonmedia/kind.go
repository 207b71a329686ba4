// What kind of file the first bytes begin.

package jsonmedia

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Kind returns the content type of a picture or video that begins with head (see [Media.Head]): image/jpeg, image/png,
// image/bmp, image/gif, image/webp, image/heic, video/mp4, video/quicktime, video/webm or video/x-msvideo; "" for
// everything else, because a wrong type is worse than none.
func Kind(head []byte) string {
	for _, k := range []struct{ magic, kind string }{
		{"\xFF\xD8\xFF", "image/jpeg"},
		{"\x89PNG\r\n\x1A\n", "image/png"},
		{"BM", "image/bmp"},
		{"GIF87a", "image/gif"},
		{"GIF89a", "image/gif"},
	} {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.kind
		}
	}
	if len(head) < 12 {
		return ""
	}
	switch second, third := string(head[4:8]), string(head[8:12]); {
	case string(head[:4]) == "RIFF" && third == "WEBP":
		return "image/webp"
	case string(head[:4]) == "RIFF" && third == "AVI ":
		return "video/x-msvideo"
	case string(head[:4]) == "\x1A\x45\xDF\xA3" && !bytes.Contains(head, []byte("matroska")):
		return "video/webm"
	case second == "ftyp":
		return brandKind(head)
	case second == "moov" || second == "wide" || second == "mdat": // QuickTime from before there was ftyp
		return "video/quicktime"
	}
	return ""
}

var (
	heicBrands = []string{"heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1"}
	avifBrands = []string{"avif", "avis"} // share mif1 and msf1 with HEIC

	// mp4Brands are beginnings: iso2 to iso9, mp41, mp42 and so on.
	mp4Brands = []string{"iso", "mp4", "mp7", "avc1", "M4V", "MSNV", "mmp4", "dash", "cmf", "f4v "}
)

// brandKind tells the formats apart that begin with an ftyp box: its size, ftyp, the major brand, a version, and the
// brands that the file is compatible with.
func brandKind(head []byte) string {
	major := string(head[8:12])
	switch {
	case major == "qt  ":
		return "video/quicktime"
	case slices.Contains(heicBrands, major):
		box := int64(binary.BigEndian.Uint32(head))
		for at := 16; int64(at)+4 <= min(int64(len(head)), box); at += 4 {
			if slices.Contains(avifBrands, string(head[at:at+4])) {
				return ""
			}
		}
		return "image/heic"
	}
	for _, brand := range mp4Brands {
		if bytes.HasPrefix(head[8:12], []byte(brand)) {
			return "video/mp4"
		}
	}
	return ""
}
