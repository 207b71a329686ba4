package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestCallback_TellsWhatTheBrowserBrought(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	passed, err := b.srv.Visit(t.Context(), b.launched(t, "order1"), livetest.Passing())
	require.NoError(t, err)
	failed := "https://shop.example/done?" + b.srv.CallbackQuery("order2", "-5016", "").Encode()
	_, query, _ := strings.Cut(passed, "?")
	noStore := b.with("WEBANK_STORE", "")
	b.stdin = "'" + passed + "'\n"

	for name, try := range map[string]struct {
		bench bench
		args  []string
		exit  int
		want  []string
	}{
		"URL":             {b, []string{"--order", "order1", passed}, 0, []string{"code     0", "yes, by the platform", "score    95 (not signed)", "decides nothing"}},
		"query":           {b, []string{"--order", "order1", query}, 0, []string{"yes, by the platform"}},
		"standard input":  {b, []string{"--order", "order1", "-"}, 0, []string{"yes, by the platform"}},
		"no argument":     {b, []string{"--order", "order1"}, 0, []string{"yes, by the platform"}},
		"failed check":    {b, []string{"--order", "order2", failed}, 0, []string{"code     -5016", "meaning  ", "yes, by the platform"}},
		"unsigned":        {b, []string{"--order", "order1", "https://shop.example/?code=3001&orderNo=order1"}, exitNo, []string{"code     3001", "signed   no"}},
		"unknown code":    {b, []string{"--order", "order1", "https://shop.example/?code=-987654&orderNo=order1"}, exitNo, []string{"no vendor page names this code"}},
		"another order":   {b, []string{"--order", "order2", passed}, exitNo, []string{"orderNo is not the expected one"}},
		"tampered":        {b, []string{"--order", "order2", strings.Replace(failed, "-5016", "0", 1)}, exitNo, []string{"the signature does not match"}},
		"no order":        {b, []string{passed}, exitUsage, []string{"--order is missing"}},
		"two arguments":   {b, []string{"--order", "order1", "a", "b"}, exitUsage, []string{"put it in quotes"}},
		"no query":        {b, []string{"--order", "order1", "https://shop.example/done"}, exitUsage, []string{"no callback"}},
		"nothing on pipe": {noStore, []string{"--order", "order1"}, exitUsage, []string{"standard input is empty"}},
		"bad order":       {b, []string{"--order", "a/b", passed}, exitUsage, []string{"OrderNo must be"}},
		// Without the store that signed it a callback is no forgery.
		"another store": {noStore, []string{"--order", "order1", passed}, exitUsage, []string{"set WEBANK_STORE"}},
	} {
		o := try.bench.run(t, try.exit, append([]string{"callback"}, try.args...)...)
		for _, want := range try.want {
			assert.Contains(t, o.out+o.errOut, want, name)
		}
	}

	object := b.run(t, exitDone, "callback", "--json", "--order", "order2", failed).object(t)
	assert.Equal(t, "not_passed", object["class"])
	assert.Equal(t, true, object["signed"])
	assert.Equal(t, false, object["decides"])
	assert.NotEmpty(t, object["meaning"])
	assert.NotEmpty(t, object["message"])
	o := b.run(t, exitNo, "callback", "--json", "--order", "order1", "code=3001&orderNo=order1")
	assert.Equal(t, "unsigned_callback", o.errorClass(t))
	assert.Equal(t, "3001", o.object(t)["code"], "answer and error are one object")
	assert.Equal(t, "bad_callback", b.run(t, exitNo, "callback", "--json", "--order", "order3", failed).errorClass(t))
}
