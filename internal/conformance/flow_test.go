package conformance_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestFlow_OfAPersonWhoPasses(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv)
	query := clienttest.Complete(t, srv.Platform, c, "order1", livetest.Passing())

	cb, err := c.VerifyCallback(t.Context(), query, "order1")
	require.NoError(t, err)
	assert.Equal(t, &webanklive.Callback{OrderNo: "order1", Code: "0", LiveRate: "95"}, cb)

	res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "order1", GetFile: webanklive.GetFileAll})
	require.NoError(t, err)
	assert.Equal(t, livetest.SamplePhoto(), res.Photo)
	assert.Equal(t, livetest.SampleVideo(), res.Video)
	assert.Equal(t, 1, srv.Calls(livetest.AccessToken))
	assert.Equal(t, 1, srv.Calls(livetest.SignTicket))
}
