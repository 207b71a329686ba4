package webanklive_test

// Examples of errors and of the codes behind them.

import (
	"context"
	"errors"
	"fmt"

	"github.com/webanklive/webanklive"
)

func ExampleError() {
	c, _ := exampleClient()
	_, err := c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: "A1"}) // never launched
	fmt.Println(err)
	fmt.Println(errors.Is(err, webanklive.ErrNotReady))

	var e *webanklive.Error
	if errors.As(err, &e) { // for the log, and for the vendor's support
		fmt.Println(e.Op, e.Code, e.Message, e.HTTPStatus)
	}
	// Output:
	// webanklive: get live result: code 66660011: 无此查询结果 (GET idasc.livetest.invalid/idasc/api/server/getLiveResult, HTTP 200)
	// true
	// get live result 66660011 无此查询结果 200
}

// A test makes any outcome by hand: an Error with a Code has the class of that code.
func ExampleError_byHand() {
	err := fmt.Errorf("my handler: %w", &webanklive.Error{Code: "66660017"})
	fmt.Println(errors.Is(err, webanklive.ErrNotPassed), errors.Is(err, webanklive.ErrUnavailable))
	// Output: true false
}

func ExampleRetryable() {
	for _, code := range []string{"999999", "400504", "-5013", "400101"} {
		fmt.Println(code, webanklive.Retryable(&webanklive.Error{Code: code}))
	}
	fmt.Println(webanklive.Retryable(context.DeadlineExceeded))
	// Output:
	// 999999 true
	// 400504 true
	// -5013 false
	// 400101 false
	// false
}

func ExampleLookupCode() {
	info, ok := webanklive.LookupCode("3001")
	fmt.Println(info.Class, info.Reason, info.Message, ok)
	fmt.Println(info.Meaning)
	// Output:
	// not_passed device 该浏览器不支持视频录制 true
	// this browser cannot record video; offer another way to verify
}

func ExampleCodes() {
	waits := 0
	for _, code := range webanklive.Codes() {
		if code.Class == "not_ready" {
			waits++
		}
	}
	fmt.Println(len(webanklive.Codes()), waits)
	// Output: 162 4
}
