// Replies that must not be taken for a pass, for a partner's own tests.

package livetest

import (
	"bytes"
	"strings"
)

// NamedFault is a Fault for a table of tests.
type NamedFault struct {
	Name string
	Fault
}

// BadResults returns replies to getLiveResult that have code 0, or something like it, and prove nothing: what a gateway,
// a mock or a health page says, and what is about another order or app ID. A client that fails closed takes none of them
// for a pass of orderNo, nor for a verdict about a person: the platform did not work. Use each with Fail and LiveResult.
func BadResults(appID, orderNo string) []NamedFault {
	r := strings.NewReplacer("ORDER", orderNo, "APP", appID)
	var faults []NamedFault
	for _, f := range []struct {
		name   string
		status int
		body   string
	}{
		{"code 0 and nothing else", 200, `{"code":0}`},
		{"a health page", 200, `{"code":0,"message":"ok","data":{}}`},
		{"an envelope around another code", 200, `{"code":"0","msg":"ok","data":{"code":"-5016","orderNo":"ORDER"}}`},
		{"no order", 200, `{"code":"0","msg":"请求成功","bizSeqNo":"1808","liveRate":"99","app_id":"APP"}`},
		{"an empty order", 200, `{"code":"0","orderNo":"","app_id":"APP"}`},
		{"another order", 200, `{"code":"0","orderNo":"ORDERx","app_id":"APP"}`},
		{"another order inside", 200, `{"code":"0","order_no":"ORDER","result":{"orderNo":"ORDERx"}}`},
		{"an order that is a list", 200, `{"code":"0","orderNo":["ORDER"],"app_id":"APP"}`},
		{"another app ID", 200, `{"code":"0","orderNo":"ORDER","app_id":"APPx"}`},
		{"another app ID inside", 200, `{"code":"0","orderNo":"ORDER","app_id":"APP","result":{"appId":"APPx"}}`},
		{"result as a text of JSON", 200, `{"code":"0","orderNo":"ORDER","result":"{\"code\":\"-5016\"}"}`},
		{"result as a list", 200, `{"code":"0","orderNo":"ORDER","result":[{"code":"-5016","orderNo":"ORDER"}]}`},
		{"result as a number", 200, `{"code":"0","orderNo":"ORDER","result":1}`},
		{"a code that is true", 200, `{"code":true,"orderNo":"ORDER"}`},
		{"a code that is a word", 200, `{"code":"OK","orderNo":"ORDER"}`},
		{"a code that is a decimal", 200, `{"code":0.0,"orderNo":"ORDER"}`},
		{"a word inside", 200, `{"code":"0","orderNo":"ORDER","result":{"code":"PENDING"}}`},
		{"a refusal of a gateway", 403, `{"code":"AccessDenied","msg":"denied"}`},
		{"a limit of a gateway", 429, `{"code":"RATE_LIMITED"}`},
		{"a gateway's own code", 200, `{"code":500,"msg":"upstream"}`},
		{"an unknown code with an error status", 502, `{"code":"-99999","orderNo":"ORDER"}`},
		{"code 0 with an error status", 500, `{"code":"0","orderNo":"ORDER","app_id":"APP"}`},
	} {
		faults = append(faults, NamedFault{f.name, Fault{
			Status: f.status, Body: r.Replace(f.body), ContentType: "application/json;charset=UTF-8",
		}})
	}
	return faults
}

// LostPlus is a Replace for Fault: it makes a blank of every + in a body, as happens to Base64 that is put into a form or a
// query on the way. A body without a + stays as it is.
func LostPlus(body []byte) []byte { return bytes.ReplaceAll(body, []byte("+"), []byte(" ")) }
