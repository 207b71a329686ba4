package webanklive

// Reading the short replies: token and tickets. Those with media are in result.go.

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

var errNotJSON = errors.New("the reply is not a JSON object")

// text is a field that some replies write as a string and others as a number.
type text string

// UnmarshalJSON takes a string, a number or null, and trims blanks.
func (t *text) UnmarshalJSON(data []byte) error {
	var s string
	switch {
	case string(data) == "null":
	case data[0] == '"' && plainASCII(data):
		s = string(data[1 : len(data)-1])
	case data[0] == '"':
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
	case data[0] == '-' || '0' <= data[0] && data[0] <= '9':
		s = string(data)
	default:
		return errors.New("neither a string nor a number")
	}
	*t = text(strings.TrimSpace(s))
	return nil
}

// plainASCII reports whether a JSON string has neither escapes nor bytes that may not be UTF-8, as all but the words
// for people: decoding it again costs more than all the rest.
func plainASCII(data []byte) bool {
	for _, b := range data {
		if b == '\\' || b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// head is the part that all short replies share. Fields that the vendor adds are ignored (响应参数请勿做强校验).
type head struct {
	Code     text `json:"code"`
	Message  text `json:"msg"`
	BizSeqNo text `json:"bizSeqNo"`
}

func (h head) envelope() envelope {
	return envelope{code: string(h.Code), message: string(h.Message), bizSeqNo: string(h.BizSeqNo)}
}

// readJSON decodes a short reply into v. The texts of encoding/json are dropped, because they quote the body.
func readJSON(body io.Reader, v any) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	if data = bytes.TrimSpace(data); len(data) == 0 || data[0] != '{' || json.Unmarshal(data, v) != nil {
		return errNotJSON
	}
	return nil
}
