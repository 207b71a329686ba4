package main

// What all commands have in common, and version.

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
)

func TestHelp_DocumentsConfigurationAndEveryExitCode(t *testing.T) {
	t.Parallel()
	help := bench{}.run(t, exitDone, "--help").out
	for _, name := range []string{
		"WEBANK_APP_ID", "WEBANK_SECRET ", "WEBANK_SECRET_FILE", "WEBANK_STORE ", "WEBANK_STORE_KEY ", "WEBANK_STORE_KEY_FILE", "redis+cluster://", "redis+sentinel://", "WEBANK_API_URL", "WEBANK_H5_URL", "NO_COLOR",
		"\n  0  ", "\n  1  ", "\n  2  ", "\n  3  ", "\n  4  ", "\n  5  ", "\n  130  ", "completion",
	} {
		assert.Contains(t, help, name)
	}
	for _, command := range []string{"sign", "launch", "callback", "result", "codes", "doctor", "sandbox", "version"} {
		assert.Contains(t, help, "\n  "+command+" ")
		assert.Contains(t, bench{}.run(t, exitDone, command, "--help", "--json").out, "Usage:", command)
	}
}

// An unset shell variable must not look like a flag that was left out.
func TestUsage_MistakesAreOneLine(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--nonsense"}, {"-x"}, {"resultt"}, {"result"}, {"result", "a", "b"}, {"result", "a", "--timeout", "soon"}, {"version", "x"},
		{"doctor", "x"}, {"launch", "x"}, {"sandbox", "x"}, {"launch", "--entry", "tv"}, {"sign"}, {"sign", "=x"}, {"codes", "a", "b"},
		{"sign", "--url", "nothing"}, {"sign", "--url", "https://x/?nonce=1&nonce=2"}, {"sign", "--url", "https://x/?nonce=%zz"},
		{"sandbox", "--addr", "nonsense"},
	} {
		bench{}.refuses(t, "", args...)
	}
	for _, try := range []struct {
		want string
		args []string
	}{
		{"--photo is empty", []string{"result", "a", "--photo="}},
		{"--order is empty", []string{"launch", "--user", "u1", "--order", " "}},
		{"--check is empty", []string{"sign", "a=b", "--check", ""}},
		{"--store is empty", []string{"doctor", "--store", ""}},
		{"--timeout must not be negative", []string{"result", "a", "--timeout", "-1s"}},
		{"--lag must not be negative", []string{"sandbox", "--lag", "-1s"}},
		{"--wait needs a duration, such as 30s or 5m", []string{"result", "a", "--wait", "30"}},
		{"the value of ticket is a secret", []string{"sign", "a=b", "ticket="}},
	} {
		bench{}.refuses(t, try.want, try.args...)
	}
}

func TestUsage_OddInputIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"ticket=geheim", "sign"}, {"--=geheim"}} {
		assert.NotContains(t, bench{}.refuses(t, "", args...), "geheim", args)
	}
}

func TestFlags_NoneTakesASecret(t *testing.T) {
	t.Parallel()
	root := (&app{}).rootCommand()
	for _, cmd := range append(root.Commands(), root) {
		for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			flags.VisitAll(func(f *pflag.Flag) {
				assert.NotContains(t, []string{"secret", "ticket", "token", "password"}, f.Name, cmd.Name())
			})
		}
	}
}

func TestCompletion_CompletesCommandsFlagsAndEntries(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"completion bash": "complete -o", "completion zsh": "#compdef webanklive", "completion fish": "complete -c webanklive",
		"completion powershell": "Register-ArgumentCompleter",
		"__complete res":        "result\t", "__complete result --pho": "--photo", "__complete launch --entry ": "wechat",
	} {
		assert.Contains(t, bench{}.run(t, exitDone, strings.Split(line, " ")...).out, want)
	}
}

func TestVersion_TellsWhatWasBuilt(t *testing.T) {
	t.Parallel()
	assert.Regexp(t, `^webanklive \S+, SDK \S+, go1\S* \w+/\w+\n$`, bench{}.run(t, exitDone, "version").out)
	assert.Len(t, bench{}.run(t, exitDone, "version", "--json").object(t), 4)
}
