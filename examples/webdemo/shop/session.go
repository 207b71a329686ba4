package shop

// Who is asking: a cookie that this server signed, and form tokens bound to it.

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// visitor is one browser. The zero value is a browser that brought no valid cookie and owns nothing.
type visitor struct{ id string }

// userID names the person to the platform, without giving the session away. A shop with accounts uses the account's.
func (s *Shop) userID(v visitor) string { return "u" + s.mac("user", v.id)[:20] }

func (s *Shop) mac(purpose string, parts ...string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(purpose + "\x00" + strings.Join(parts, "\x00")))
	return hex.EncodeToString(h.Sum(nil))
}

// valid splits "value.mac" and checks it in constant time.
func (s *Shop) valid(signed, purpose string, bound ...string) (value string, ok bool) {
	value, mac, _ := strings.Cut(signed, ".")
	return value, hmac.Equal([]byte(mac), []byte(s.mac(purpose, append(bound, value)...)))
}

// The prefix __Host- keeps subdomains from planting a cookie, and demands https.
func (s *Shop) cookieName() string {
	if s.secure {
		return "__Host-shop"
	}
	return "shop"
}

// visitor returns who sent r.
func (s *Shop) visitor(r *http.Request) visitor {
	if cookie, err := r.Cookie(s.cookieName()); err == nil {
		if id, ok := s.valid(cookie.Value, "session"); ok {
			return visitor{id}
		}
	}
	return visitor{}
}

// welcome returns who sent r, and gives a newcomer a cookie. SameSite is Lax, not Strict: the browser comes back to the
// callback from another site, and must bring the cookie along.
func (s *Shop) welcome(w http.ResponseWriter, r *http.Request) visitor {
	v := s.visitor(r)
	if v.id == "" {
		v.id = rand.Text()
		http.SetCookie(w, &http.Cookie{
			Name: s.cookieName(), Value: v.id + "." + s.mac("session", v.id), Path: "/",
			HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
		})
	}
	return v
}

// newFormToken returns the token of one start form, which no other site can know.
func (s *Shop) newFormToken(v visitor) string {
	value := rand.Text()
	return value + "." + s.mac("launch", v.id, value)
}

func (s *Shop) validFormToken(v visitor, token string) bool {
	_, ok := s.valid(token, "launch", v.id)
	return ok && v.id != ""
}
