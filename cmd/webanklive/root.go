package main

// The root command: what all commands share, and the help that documents it.

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const rootHelp = `webanklive helps to integrate the H5 liveness check of WeBank / Tencent Cloud (H5 活体检测).

Configuration of launch, callback, result and doctor, by the environment:

  WEBANK_APP_ID        the app ID (WBappid); or --app-id
  WEBANK_SECRET        the secret; no flag takes it, because everybody on a machine sees arguments
  WEBANK_SECRET_FILE   a file with the secret, instead; or --secret-file
  WEBANK_STORE         where the fleet keeps its credential; or --store, but not with a password:
                         file:/path/dir
                         redis://user:password@host:port/0
                         redis+cluster://user:password@host:port?addr=host2:port
                         redis+sentinel://host:port?master_name=shop&addr=host2:port&username=user&password=password
                         With TLS rediss instead of redis. A fleet that uses redisstore.WithPrefix adds prefix=… to
                         the query; the rest is what the Redis client go-redis takes in a URL.
  WEBANK_STORE_KEY     the key of a Redis store with redisstore.WithEncryption: AES-256, 64 hexadecimal digits
  WEBANK_STORE_KEY_FILE  a file with that key, instead
  WEBANK_API_URL       the API's base URL, https://idasc.webank.com unless set; with WEBANK_H5_URL
  WEBANK_H5_URL        the browser's base URL, https://ida.webank.com unless set; with WEBANK_API_URL
  NO_COLOR             no colour

Each new access token kills the fleet's a minute later. So these commands work on the fleet's credential in
WEBANK_STORE and refuse to work without it, or when it is empty, unless --mint is given or the platform is a sandbox here.
A command that ends early puts the credential that it is making into the store first, for at most 15 seconds.

Exit codes:

  0    done; passed; the signature matches
  1    no: not passed, the signature does not match, callback refused, unknown code, a doctor's check failed
  2    usage or configuration, or this machine: a file that exists, a disk that is full
  3    no result yet, or not the photo or video that was asked for
  4    try again later: unavailable, throttled, out of time, media arrived broken
  5    the credential or the account was refused
  130  interrupted

With --json a command prints one JSON object on standard output, and its errors there, too, as "error".`

// app is one run of the command.
type app struct {
	env         func(string) string
	in          io.Reader
	out, errOut io.Writer
	transport   http.RoundTripper                     // nil: the network
	proxy       func(*http.Request) (*url.URL, error) // nil: of the environment

	appID, secretFile, store string
	json, noColor, verbose   bool
	mint                     bool
	timeout                  time.Duration

	watched *watchedStore // the store in use, if any
	answer  any           // with --json: what finish prints
	printed bool
}

// run runs the command line args, and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.rootCommand()
	root.SetArgs(afterDashes(args))
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	err := root.ExecuteContext(ctx)
	a.release()
	return a.finish(err, args)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "webanklive",
		Short:         "Tools for the H5 liveness check of WeBank / Tencent Cloud",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 { // the argument is not repeated: it may be a secret in the wrong place
				return usageError("no such command; webanklive --help lists them")
			}
			return nil
		},
		PersistentPreRunE: checkFlags,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.appID, "app-id", "", "app ID, instead of WEBANK_APP_ID")
	flags.StringVar(&a.secretFile, "secret-file", "", "file with the secret, instead of WEBANK_SECRET and WEBANK_SECRET_FILE")
	flags.StringVar(&a.store, "store", "", "credential store, instead of WEBANK_STORE; a URL with a password is refused here")
	flags.BoolVar(&a.json, "json", false, "print one JSON object")
	flags.DurationVar(&a.timeout, "timeout", 0, "give up after this time (default 30s; result 10m and --wait)")
	flags.BoolVar(&a.noColor, "no-color", false, "no colour, also by NO_COLOR")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log what the SDK does to standard error")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.AddCommand(a.signCommand(), a.launchCommand(), a.callbackCommand(), a.resultCommand(), a.codesCommand(),
		a.doctorCommand(), a.sandboxCommand(), a.versionCommand())
	return root
}

// mintFlag is for the commands that need a credential.
func (a *app) mintFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.mint, "mint", false,
		"without a store, or with an empty one: make a new token; the fleet's dies in a minute and the fleet recovers with a refused call")
}

// within bounds a command in time.
func (a *app) within(ctx context.Context, unlessSet time.Duration) (context.Context, context.CancelFunc) {
	if a.timeout != 0 {
		return context.WithTimeout(ctx, a.timeout)
	}
	return context.WithTimeout(ctx, unlessSet)
}

const usualTimeout = 30 * time.Second

func (a *app) logger() *slog.Logger {
	if !a.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(lines{a.errOut}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError("takes no arguments, got %d", len(args))
	}
	return nil
}

// flagError turns an error of the flag parser into one that does not repeat what was typed, which may be a secret in the wrong
// place.
func flagError(err error) error {
	var (
		unknown *pflag.NotExistError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return usageError("unknown flag -%s", unknown.GetSpecifiedName())
	case errors.As(err, &invalid):
		if invalid.GetFlag().Value.Type() == "duration" {
			return usageError("--%s needs a duration, such as 30s or 5m", invalid.GetFlag().Name)
		}
		return usageError("--%s has no such value", invalid.GetFlag().Name)
	case errors.As(err, new(*pflag.InvalidSyntaxError)):
		return usageError("a flag is malformed")
	}
	return usageError("%s", err.Error())
}

// checkFlags refuses an empty value, which an unset shell variable leaves: it must not count as a flag that was not given.
func checkFlags(cmd *cobra.Command, _ []string) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch value := f.Value.String(); {
		case strings.TrimSpace(value) == "":
			err = usageError("--%s is empty", f.Name)
		case f.Value.Type() == "duration" && strings.HasPrefix(value, "-"):
			err = usageError("--%s must not be negative", f.Name)
		}
	})
	return err
}

var negativeNumber = regexp.MustCompile(`^-[0-9]+$`).MatchString

// afterDashes puts codes like -5013 behind a "--", because they look like flags.
func afterDashes(args []string) []string {
	if !slices.Contains(args, "codes") || slices.Contains(args, "--") {
		return args
	}
	var before, numbers []string
	for _, arg := range args {
		if negativeNumber(arg) {
			numbers = append(numbers, arg)
		} else {
			before = append(before, arg)
		}
	}
	if numbers == nil {
		return args
	}
	return append(append(before, "--"), numbers...)
}
