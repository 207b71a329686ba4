package main

// Sessions of this example: a random ID in a signed cookie, and a user of its own for each. A real site has a login here;
// what package checks gets must change when another user signs in.

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

const cookieName = "session"

// sessions is shared by all replicas, because they have the same key.
type sessions struct {
	key    []byte
	secure bool // SITE_URL is https
}

// of returns the session of a browser and its user, and gives a new visitor both. It writes before any network call.
func (s sessions) of(c *gin.Context) (session, user string) {
	id := s.known(c)
	if id == "" {
		id = rand.Text()
		// Lax: the cookie comes along when the platform sends the browser back, and not with a form of another site.
		http.SetCookie(c.Writer, &http.Cookie{
			Name: cookieName, Value: id + "." + s.mac(id), Path: "/", MaxAge: 30 * 24 * 3600,
			HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode,
		})
	}
	user = "u" + s.mac("user " + id)[:24]
	return id + " " + user, user
}

// known returns the ID of the session that a browser brought, empty when it brought none of this site's.
func (s sessions) known(c *gin.Context) string {
	cookie, _ := c.Cookie(cookieName)
	id, mac, _ := strings.Cut(cookie, ".")
	if !hmac.Equal([]byte(mac), []byte(s.mac(id))) {
		return ""
	}
	return id
}

func (s sessions) mac(text string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}
