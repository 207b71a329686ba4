package main

// Sonic at its best, and the Base64 decoder that it uses. Versions 1.15.5 and 0.1.6 of them do not compile for arm64,
// so there the table goes without.

import (
	"reflect"
	"unsafe"

	"github.com/bytedance/sonic"
	"github.com/cloudwego/base64x"
)

func init() {
	fast := sonic.Config{NoValidateJSONMarshaler: true, NoValidateJSONSkip: true, NoQuoteTextMarshaler: true}.Froze()
	decodes[waySonic] = unmarshalBytes(func(data []byte, v any) error {
		// Its Unmarshal would copy data into a string first.
		return fast.UnmarshalFromString(unsafe.String(unsafe.SliceData(data), len(data)), v) //nolint:gosec // nobody modifies data
	})
	// It compiles a decoder for each type. Let that not be part of the first reply.
	_ = sonic.Pretouch(reflect.TypeFor[bytesReply]())

	decoders = append(decoders, decoder{"SIMD: cloudwego/base64x", base64x.StdEncoding.Decode})
}
