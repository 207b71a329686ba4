package main

// The replies about a result: made once, the same bytes for every way.

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
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
	photo, large := media(photoSize), media(largeSize)
	middle := large[:middleSize]
	asItIs := func(s string) string { return s }
	return map[string][]byte{
		orderTiny:       reply(orderTiny, nil, nil, asItIs),
		orderMiddle:     reply(orderMiddle, photo, middle, asItIs),
		orderLarge:      reply(orderLarge, photo, large, asItIs),
		orderSlashes:    reply(orderSlashes, photo, middle, func(s string) string { return strings.ReplaceAll(s, "/", `\/`) }),
		orderPluses:     reply(orderPluses, photo, middle, func(s string) string { return strings.ReplaceAll(s, "+", `\u002b`) }),
		orderEscaped:    reply(orderEscaped, photo, middle, strings.NewReplacer("/", `\/`, "+", `\u002b`).Replace),
		orderWrapped:    reply(orderWrapped, photo, middle, func(s string) string { return wrap(s, `\r\n`) }),
		orderRawWrapped: reply(orderRawWrapped, photo, middle, func(s string) string { return wrap(s, "\r\n") }),
	}
}

// reply writes the documented form, with the Base64 of the media as edit leaves it.
func reply(order string, photo, video []byte, edit func(string) string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"code":"0","msg":"请求成功","bizSeqNo":"22112220001181418917094108989494","transactionTime":"20221122170941",` +
		`"app_id":"TIDAtest","orderNo":"` + order + `","liveRate":"99","occurredTime":"20221122170900"`)
	for _, field := range []struct {
		name string
		data []byte
	}{{"photo", photo}, {"video", video}} {
		if field.data != nil {
			b.WriteString(`,"` + field.name + `":"` + edit(base64.StdEncoding.EncodeToString(field.data)) + `"`)
		}
	}
	b.WriteString("}")
	return bytes.Clone(b.Bytes())
}

// media returns n bytes that compress as badly as a video does, the same ones every time.
func media(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte("webanklive"))).Read(data)
	return data
}

// wrap puts a line break after every 76 characters.
func wrap(s, end string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + end)
		s = s[76:]
	}
	b.WriteString(s)
	return b.String()
}
