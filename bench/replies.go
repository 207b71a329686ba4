package main

// The replies about a result: made once, the same bytes for every way.

import (
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
	"slices"
	"strings"
)

// The order numbers that the platform of the benchmarks knows, by what their reply holds.
const (
	orderTiny       = "tiny"       // no media
	orderMiddle     = "middle5"    // 5 MB of video and 0.2 MB of photo
	orderLarge      = "large20"    // 20 MB and 0.2 MB
	orderSlashes    = "slashes5"   // \/ in the Base64
	orderPluses     = "pluses5"    // \u002b
	orderEscaped    = "escaped5"   // both
	orderWrapped    = "wrapped5"   // \r\n after 76 characters, as JSON escapes
	orderRawWrapped = "unescaped5" // the same as raw bytes, which is not valid JSON
)

const (
	photoSize  = 200_000
	middleSize = 5_000_000
	largeSize  = 20_000_000
)

// replies returns the replies by order number.
func replies() map[string][]byte {
	plain := func(s string) string { return s }
	bodies := map[string][]byte{
		orderTiny: reply(orderTiny, 0, plain), orderLarge: reply(orderLarge, largeSize, plain),
	}
	for order, edit := range map[string]func(string) string{
		orderMiddle:     plain,
		orderSlashes:    strings.NewReplacer("/", `\/`).Replace,
		orderPluses:     strings.NewReplacer("+", `\u002b`).Replace,
		orderEscaped:    strings.NewReplacer("/", `\/`, "+", `\u002b`).Replace,
		orderWrapped:    func(s string) string { return wrap(s, `\r\n`) },
		orderRawWrapped: func(s string) string { return wrap(s, "\r\n") },
	} {
		bodies[order] = reply(order, middleSize, edit)
	}
	return bodies
}

// reply writes the documented form, with the Base64 of a photo and of so many bytes of video, if any, as edit leaves it.
func reply(order string, video int, edit func(string) string) []byte {
	text := `{"code":"0","msg":"请求成功","bizSeqNo":"22112220001181418917094108989494","transactionTime":"20221122170941",` +
		`"app_id":"TIDAtest","orderNo":"` + order + `","liveRate":"99","occurredTime":"20221122170900"`
	if video > 0 {
		text += `,"photo":"` + edit(base64.StdEncoding.EncodeToString(media(photoSize))) +
			`","video":"` + edit(base64.StdEncoding.EncodeToString(media(video))) + `"`
	}
	return []byte(text + "}")
}

// media returns n bytes that compress as badly as a video does, the same ones every time.
func media(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte("webanklive"))).Read(data)
	return data
}

// wrap puts a line break after every 76 characters.
func wrap(s, end string) string {
	var lines []string
	for line := range slices.Chunk([]byte(s), 76) {
		lines = append(lines, string(line))
	}
	return strings.Join(lines, end)
}
