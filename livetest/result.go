// getLiveResult, and the two shortcuts that unit tests take instead of a browser.

package livetest

import (
	"net/url"
	"slices"
)

// AddResult stores a finished check as if person had gone through it just now. It replaces a check with that order number.
// A person whose code comes from the page itself, 3001 for instance, or who gave up, leaves nothing to fetch.
func (p *Platform) AddResult(orderNo string, person Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := &order{who: p.first, number: orderNo, done: true}
	p.first.orders[orderNo] = o
	if !person.leavesNothing() {
		o.store(person, p.Now())
	}
}

// CallbackQuery returns the query that comes back to the partner, signed with the SIGN ticket the platform holds: with
// newSignature, and beside it the signature from before 2018, which does not cover the code and proves nothing. As with
// the vendor there is neither while it holds none: let the client make a call first. An empty liveRate is left out.
func (p *Platform) CallbackQuery(orderNo, code, liveRate string) url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.callbackQuery(p.first, orderNo, code, liveRate)
}

func (p *Platform) liveResult(query url.Values) (object, *refusal) {
	number := query.Get("order_no")
	if no := present(query, "app_id", "version", "nonce", "order_no", "sign"); no != nil {
		return nil, no
	}
	who, registered := p.partner(query.Get("app_id"))
	match := signedBy(query.Get("sign"), query.Get("app_id"), number, query.Get("version"), query.Get("nonce"))
	why := ""
	if p.find(who.ledger.signs, match) == nil {
		why = p.explain(who, kindSign, "", match)
	}
	o := who.orders[number]
	found := o != nil && o.hasValue
	if no := broken(
		rule{!p.carries(who, query), codeIllegal, "the request carries a secret, token or ticket in clear"},
		rule{registered, codeUnknownApp, "app_id is not this platform's AppID"},
		rule{query.Get("version") == version, codeParameters, "version is not " + version},
		rule{isNonce(query.Get("nonce")), codeBadArgument, "nonce is not 32 letters and digits"},
		rule{isOrderNo(number), codeBadOrder, "order_no is not 1 to 32 letters and digits"},
		rule{why == "", codeIllegal, why},
		rule{o != nil, codeNoResult, "no check was launched with that order number"},
		rule{found, codeNoResult, "the person has not finished the check"},
		rule{!found || p.keep || p.Now().Before(o.finished.Add(retention)), codeNoResult, "the result is older than the 72 hours that this fake keeps it"},
	); no != nil {
		return nil, no
	}
	return p.resultReply(o, query.Get("get_file")), nil
}

func (p *Platform) resultReply(o *order, getFile string) object {
	s := p.style
	orderNo, appID := s.names()
	serial := field{"bizSeqNo", bizSeqNo()}
	head := object{{"code", s.number(o.person.Code)}, {"msg", message(o.person.Code)}, serial}
	body := object{{orderNo, o.number}}
	if o.person.LiveRate != "" {
		body = append(body, field{"liveRate", o.person.LiveRate})
	} else if s.Blanks {
		body = append(body, field{"liveRate", nil})
	}
	body = append(body, field{"occurredTime", stamp(o.finished)})
	files := p.files(o, getFile)

	now := field{"transactionTime", stamp(p.Now())}

	if !s.Nested {
		return s.withMedia(slices.Concat(head, body, object{{appID, o.who.appID}, now}), files)
	}
	inner := s.withMedia(slices.Concat(object{serial, now}, body), files)
	result := object{{"result", append(inner, field{"success", false})}}
	outerOrderNo := "order_no" // the sync sample spells it differently outside and inside
	if s.AltNames {
		outerOrderNo = "orderNo"
	}
	return append(s.withMedia(head, result), now, field{appID, o.who.appID}, field{outerOrderNo, o.number})
}

// files returns the media that were asked for and are there: 1 both, 2 the photo, 3 the video, anything else none.
func (p *Platform) files(o *order, getFile string) object {
	late := p.Now().Before(o.finished.Add(p.mediaLag))
	var files object
	for _, f := range []struct {
		name, alone string
		content     []byte
		blank       any
	}{
		{"photo", "2", o.person.Photo, nil},
		{"video", "3", o.person.Video, ""},
	} {
		switch wanted := getFile == "1" || getFile == f.alone; {
		case wanted && !late && len(f.content) > 0:
			files = append(files, field{f.name, media(f.content)})
		case p.style.Blanks:
			files = append(files, field{f.name, f.blank})
		}
	}
	return files
}
