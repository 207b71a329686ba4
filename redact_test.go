package webanklive

// In this package, because a redactor is not exported.

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRedactor_TakesOutEverySecretInEveryForm(t *testing.T) {
	t.Parallel()
	const secret, token = `s+e/c"r&et<>\`, "token-1234"
	r := newRedactor(secret)
	r.add("", token, token+"-and-more", "plain")
	for _, text := range []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ToLower(url.QueryEscape(secret)),
		fmt.Sprintf("%q", secret), `{"secret":"s+e/c\"r\u0026et\u003c\u003e\\"}`, "s+e/c&#34;r&amp;et&lt;&gt;\\",
		"a" + token + "-and-more", token, "plain",
	} {
		clean := r.text("at " + text + " and")
		assert.Contains(t, clean, "***", text)
		for _, part := range []string{"e/c", "r&et", "%26", "1234", "-and-more", "plain"} {
			assert.NotContains(t, clean, part, text)
		}
	}
	assert.Equal(t, "nothing of ours", r.text("nothing of ours"))
	assert.Equal(t, "webanklive.redactor", fmt.Sprintf("%+v", r))
}

func TestRedactor_RemembersTheNewestSixtyFour(t *testing.T) {
	t.Parallel()
	r := newRedactor("secret")
	for i := range 100 {
		r.add(fmt.Sprintf("token-%03d", i), fmt.Sprintf("token-%03d", i))
	}
	assert.Equal(t, "token-035 *** *** ***", r.text("token-035 token-036 token-099 secret"))
	r.add("token-036") // known: it stays where it is
	assert.Equal(t, "***", r.text("token-036"))
}

type typedError struct{ text string }

func (e *typedError) Error() string { return e.text }

func TestCleanedError_HandsOutItsTypeUnlessItHasASecret(t *testing.T) {
	t.Parallel()
	c, err := NewClient("app", "secret-1")
	require.NoError(t, err)
	for text, handedOut := range map[string]bool{"one line": true, "two\nlines": true, "the secret-1": false, "the secret\x00-1": false} {
		original := fmt.Errorf("write: %w", &typedError{text})
		clean := c.harmless(original, nil)
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v", clean, clean, clean), "secret-1")
		assert.NotContains(t, clean.Error(), "\n")
		var typed *typedError
		assert.Equal(t, handedOut, errors.As(clean, &typed), text)
		assert.ErrorIs(t, clean, original)
	}
	assert.NotErrorIs(t, notCallers(fmt.Errorf("x: %w", context.DeadlineExceeded)), context.DeadlineExceeded)
}
