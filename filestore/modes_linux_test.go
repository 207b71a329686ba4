package filestore_test

// Several users: the service, its group, and root.

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/internal/fleettest"
)

// The service's user and the group that Kubernetes gives it (fsGroup), as in many manifests.
const (
	serviceUser  = 10001
	serviceGroup = 10001
	fsGroup      = 20002
)

func TestNew_NarrowsWhatItOwns(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o755, 0o777, 0o750, 0o701, 0o720, 0o770 | fs.ModeSetgid} {
		dir, s := newDir(t)
		fleettest.Store(t, s, key, "value")
		require.NoError(t, os.Chmod(dir, mode))
		for _, name := range files(t, dir) {
			require.NoError(t, os.Chmod(filepath.Join(dir, name), 0o666))
		}

		again := newStore(t, dir)
		assert.Equal(t, fs.ModeDir|0o700, modeOf(t, dir), mode.String())
		for _, name := range files(t, dir) {
			assert.Equal(t, fs.FileMode(0o600), modeOf(t, filepath.Join(dir, name)), name)
		}
		fleettest.WantValue(t, again, key, "value")
	}
}

// A slip of the hand, /var/lib for /var/lib/shop, must not lock everybody else out.
func TestNew_NarrowsNoDirectoryThatHoldsOtherFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "passwd"), nil, 0o600))
	_, err := filestore.New(dir)
	require.ErrorContains(t, err, "is open to other users (mode 0755) and holds other files (\"passwd\"): use a new directory in it")
	assert.Equal(t, fs.ModeDir|0o755, modeOf(t, dir))

	require.NoError(t, os.Remove(filepath.Join(dir, "passwd")))
	require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSticky)) // like /tmp
	_, err = filestore.New(dir)
	require.ErrorContains(t, err, "every user can write to the directory")
	_, err = filestore.New(filepath.Join(dir, "credentials"))
	require.NoError(t, err, "a new directory in it is for the owner alone")
}

func TestNew_UsesADirectoryOfAnotherOwnerThatIsOpenToItsGroup(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, mode := range []fs.FileMode{0o770 | fs.ModeSetgid, 0o775 | fs.ModeSetgid, 0o770} {
		mount := directory(t, 0, fsGroup, mode)
		mustUpdate(t, serviceUser, mount, "one")
		assert.Equal(t, fs.ModeDir|mode, modeOf(t, mount), "it is not the service's to narrow")
		value := valueFile(t, mount)
		assert.Equal(t, fs.FileMode(0o600), modeOf(t, value))

		// The pod starts again: the kubelet opens everything to the group once more.
		for _, name := range files(t, mount) {
			require.NoError(t, os.Chown(filepath.Join(mount, name), -1, fsGroup))
			require.NoError(t, os.Chmod(filepath.Join(mount, name), 0o660))
		}
		mustLoad(t, serviceUser, mount, "one")
		assert.Equal(t, fs.FileMode(0o600), modeOf(t, value), "what the service owns is narrowed")
		mustUpdate(t, serviceUser, mount, "two")
	}
}

func TestNew_OpensADirectoryAgainThatTheKubeletOpenedToTheGroup(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	mount := directory(t, 0, fsGroup, 0o770|fs.ModeSetgid)
	dir := filepath.Join(mount, "credentials")
	mustUpdate(t, serviceUser, dir, "one")
	assert.Equal(t, fs.FileMode(0o700), modeOf(t, dir).Perm())
	require.NoError(t, os.Chown(dir, -1, fsGroup))
	require.NoError(t, os.Chmod(dir, 0o770|fs.ModeSetgid))
	mustLoad(t, serviceUser, dir, "one")
	assert.Equal(t, fs.FileMode(0o700), modeOf(t, dir).Perm())
}

func TestNew_RefusesADirectoryThatEveryUserCanWriteTo(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	for _, mode := range []fs.FileMode{0o777, 0o777 | fs.ModeSetgid, 0o777 | fs.ModeSticky, 0o772} {
		mount := directory(t, 0, fsGroup, mode)
		for _, user := range []int{serviceUser, 0} {
			_, err := as(t, user, doLoad, mount, "")
			require.ErrorContains(t, err, "every user can write to the directory "+mount, mode.String())
			require.ErrorContains(t, err, "use a new directory in it")
			assert.Equal(t, fs.ModeDir|mode, modeOf(t, mount))
		}
		mustUpdate(t, serviceUser, filepath.Join(mount, "credentials"), "one")
	}
	theirs := directory(t, serviceUser+1, serviceGroup+1, 0o777)
	_, err := as(t, 0, doLoad, theirs, "")
	require.ErrorContains(t, err, "every user can write to the directory", "though root may do as it likes")
}

func TestUpdate_RootHandsOverWhatItWritesToTheOwnerOfTheDirectory(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	dir := directory(t, serviceUser, serviceGroup, 0o700)
	mustUpdate(t, 0, dir, "root's")
	for _, name := range files(t, dir) {
		assert.Equal(t, serviceUser, ownerOf(t, filepath.Join(dir, name)), name)
		assert.Equal(t, fs.FileMode(0o600), modeOf(t, filepath.Join(dir, name)), name)
	}
	mustLoad(t, serviceUser, dir, "root's")
	mustUpdate(t, serviceUser, dir, "the service's")

	// What an older version left as root's is the service's from the next write on.
	require.NoError(t, os.Chown(valueFile(t, dir), 0, 0))
	_, err := as(t, serviceUser, doLoad, dir, "")
	require.ErrorContains(t, err, "permission denied")
	mustUpdate(t, 0, dir, "root's")
	mustLoad(t, serviceUser, dir, "root's")
}

func TestUpdate_RootHandsOverWhatItWritesToTheOwnerOfTheRecord(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	mount := directory(t, 0, fsGroup, 0o770|fs.ModeSetgid)
	mustUpdate(t, serviceUser, mount, "the service's")
	mustUpdate(t, 0, mount, "root's")
	assert.Equal(t, serviceUser, ownerOf(t, valueFile(t, mount)))
	assert.Equal(t, fs.FileMode(0o600), modeOf(t, valueFile(t, mount)))
	mustLoad(t, serviceUser, mount, "root's")
}

func TestUpdate_RootSharesWhatItWritesWithTheGroupOfItsOwnDirectory(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	mount := directory(t, 0, fsGroup, 0o770)
	for _, dir := range []string{mount, filepath.Join(mount, "made", "by root")} {
		mustUpdate(t, 0, dir, "root's")
		for _, name := range files(t, dir) {
			if name == "made" {
				continue
			}
			var stat syscall.Stat_t
			require.NoError(t, syscall.Stat(filepath.Join(dir, name), &stat))
			assert.EqualValues(t, fsGroup, stat.Gid, name)
			assert.Equal(t, fs.FileMode(0o660), modeOf(t, filepath.Join(dir, name)), name)
		}
		mustLoad(t, serviceUser, dir, "root's")
		mustUpdate(t, serviceUser, dir, "the service's")
		mustLoad(t, 0, dir, "the service's")
	}
}

func TestNew_RootHandsOverTheDirectoriesThatItMakes(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	home := directory(t, serviceUser, serviceGroup, 0o755)
	dir := filepath.Join(home, "state", "credentials")
	mustUpdate(t, 0, dir, "root's")
	assert.Equal(t, serviceUser, ownerOf(t, filepath.Dir(dir)))
	assert.Equal(t, fs.ModeDir|0o700, modeOf(t, dir))
	mustLoad(t, serviceUser, dir, "root's")
}

// The owner of the directory must not make root write to, or give away, another file.
func TestUpdate_RootFollowsNoLink(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	dir := directory(t, serviceUser, serviceGroup, 0o700)
	mustUpdate(t, serviceUser, dir, "the service's")
	value := valueFile(t, dir)
	lock := strings.TrimSuffix(value, ".credential") + ".lock"
	require.FileExists(t, lock)
	target := filepath.Join(directory(t, 0, 0, 0o700), "root's own")
	for _, exists := range []bool{false, true} {
		if exists {
			require.NoError(t, os.WriteFile(target, []byte("untouched"), 0o600))
		}
		for _, name := range files(t, dir) {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
		require.NoError(t, os.Symlink(target, lock))
		_, err := as(t, 0, doUpdate, dir, "root's")
		require.ErrorContains(t, err, "take the lock")
		require.NoError(t, os.Remove(lock))
		require.NoError(t, os.Symlink(target, value))
		mustUpdate(t, 0, dir, "root's")
		if !exists {
			assert.NoFileExists(t, target)
			continue
		}
		assert.Equal(t, 0, ownerOf(t, target))
		content, err := os.ReadFile(target)
		require.NoError(t, err)
		assert.Equal(t, "untouched", string(content))
	}
}

// as does what is to be done as a user, who is in that user's own group and in fsGroup.
func as(t *testing.T, user int, do, dir, value string) (string, error) {
	t.Helper()
	cmd := command(t, do, dir, value)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
		Uid: uint32(user), Gid: uint32(user), Groups: []uint32{fsGroup}, //nolint:gosec // a small constant
	}}
	return outcome(cmd)
}

func mustUpdate(t *testing.T, user int, dir, value string) {
	t.Helper()
	got, err := as(t, user, doUpdate, dir, value)
	require.NoError(t, err)
	require.Equal(t, value, got)
}

func mustLoad(t *testing.T, user int, dir, want string) {
	t.Helper()
	got, err := as(t, user, doLoad, dir, "")
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run processes of other users")
	}
}

// directory returns a new directory that other users can reach.
func directory(t *testing.T, uid, gid int, mode fs.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "volume")
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755))
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chown(dir, uid, gid))
	require.NoError(t, os.Chmod(dir, mode))
	return dir
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	return info.Mode()
}

func ownerOf(t *testing.T, path string) int {
	t.Helper()
	var stat syscall.Stat_t
	require.NoError(t, syscall.Lstat(path, &stat))
	return int(stat.Uid)
}
