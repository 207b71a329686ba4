package main

// result: the decision about one order, and its evidence.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/webanklive/webanklive"
)

const resultHelp = `Asks the platform whether the person passed, and exits by it: 0 passed, 1 not passed, 3 no result yet.

On a platform that is not the vendor's it says that it is a fake ("fake": true), whatever the decision is, and behind a
proxy through which one.

--photo and --video save the evidence, which the platform deletes soon. A file gets its name when it is complete
and on the disk; on any failure, and on Ctrl-C, nothing is left behind. It is readable by its owner only.
Files that exist are refused without --force; pipes, links and devices always.

--wait goes on asking while there is no result, or no photo or video, which come a second or two after the result. Any
other failure ends it.`

const (
	resultTimeout = 10 * time.Minute
	longestWait   = 72 * time.Hour
)

type resultAnswer struct {
	OrderNo    string    `json:"order_no"`
	Passed     bool      `json:"passed"`
	Code       string    `json:"code"`
	Reason     string    `json:"reason"`  // why not passed, as codes has it
	Meaning    string    `json:"meaning"` // of the code, English
	Message    string    `json:"message"` // the platform's
	LiveRate   string    `json:"live_rate"`
	OccurredAt string    `json:"occurred_at"` // RFC 3339, empty when the platform did not say
	BizSeqNo   string    `json:"biz_seq_no"`
	Photo      *fileJSON `json:"photo,omitempty"`
	Video      *fileJSON `json:"video,omitempty"`
	platform
}

type fileJSON struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	Type  string `json:"type"`
}

func (a *app) resultCommand() *cobra.Command {
	var photo, video string
	var wait time.Duration
	var force bool
	cmd := &cobra.Command{
		Use:   "result ORDER",
		Short: "Ask whether the person passed; save photo and video",
		Long:  resultHelp,
		Example: `  webanklive result a1 && echo passed
  webanklive result a1 --photo a1.jpg --video a1.mp4 --wait 30s`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("takes one order number, got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait > longestWait {
				return usageError("--wait must not exceed %v", longestWait)
			}
			ctx, cancel := a.within(cmd.Context(), resultTimeout+wait)
			defer cancel()
			c, cfg, err := a.client(ctx)
			if err != nil {
				return err
			}
			from := a.platform(cfg, false)
			a.answer = from // for an error; the result replaces it
			files, err := openSaving(photo, video, force)
			if err != nil {
				return err
			}
			defer files.discard()
			res, err := a.ask(ctx, c, args[0], files, wait)
			if err == nil {
				err = files.publish(res)
			}
			if _, exit := classify(err); exit == exitNotReady && wait == 0 {
				err = fmt.Errorf("%w; --wait 30s goes on asking", err)
			}
			return a.showResult(from, res, files, err)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&photo, "photo", "", "save the photo as this file")
	flags.StringVar(&video, "video", "", "save the video as this file")
	flags.DurationVar(&wait, "wait", 0, "go on asking for this time while there is no result, photo or video")
	flags.BoolVar(&force, "force", false, "replace files that exist")
	a.mintFlag(cmd)
	return cmd
}

// ask asks until there is a result or wait is over.
func (a *app) ask(ctx context.Context, c *webanklive.Client, order string, files *saving, wait time.Duration) (*webanklive.LiveResult, error) {
	bar := a.startProgress()
	defer bar.stop()
	photo, video := files.writers(bar)
	end := time.Now().Add(wait)
	for delay := time.Second; ; delay = min(2*delay, 5*time.Second) {
		res, err := askOnce(ctx, c, order, photo, video, max(time.Until(end), 0))
		left := time.Until(end)
		switch broken := files.broken(); {
		case broken != nil:
			return nil, broken
		case !errors.Is(err, webanklive.ErrNotReady) || left <= 0 || bar.bytes() > 0:
			return res, err
		}
		bar.waiting.Store(true)
		select {
		case <-time.After(min(delay, left)):
		case <-ctx.Done():
			return nil, fmt.Errorf("no result yet: %w", ctx.Err())
		}
	}
}

func askOnce(ctx context.Context, c *webanklive.Client, order string, photo, video io.Writer, wait time.Duration) (*webanklive.LiveResult, error) {
	if photo == nil && video == nil {
		return c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: order})
	}
	return c.StreamLiveMedia(ctx, webanklive.LiveMediaRequest{OrderNo: order, Photo: photo, Video: video, WaitForMedia: wait})
}

// showResult shows the platform's decision about the person, also when photo and video could not be saved.
func (a *app) showResult(from platform, res *webanklive.LiveResult, files *saving, err error) error {
	notPassed := errors.Is(err, webanklive.ErrNotPassed)
	if res == nil || res.Code != "0" && !notPassed {
		a.tell(from)
		return err
	}
	info, _ := webanklive.LookupCode(res.Code)
	answer := resultAnswer{
		OrderNo: res.OrderNo, Passed: !notPassed, Code: res.Code, Reason: info.Reason, Meaning: info.Meaning,
		Message: res.Message, LiveRate: res.LiveRate, BizSeqNo: res.BizSeqNo,
		platform: from,
	}
	if !res.OccurredAt.IsZero() {
		answer.OccurredAt = res.OccurredAt.Format(time.RFC3339)
	}
	if err == nil {
		answer.Photo, answer.Video = files.photo.report(), files.video.report()
	}
	if printed := a.print(answer, func(w io.Writer) { a.writeResult(w, answer) }); printed != nil {
		return errors.Join(err, printed)
	}
	if notPassed {
		return &failure{class: err, text: err.Error(), told: true}
	}
	return err
}

func (a *app) writeResult(w io.Writer, answer resultAnswer) {
	if answer.Passed {
		say(w, "%s\n", a.paint(green, "passed"))
	} else {
		say(w, "%s\n", a.paint(red, "not passed"))
	}
	line := func(name, value string) {
		if value != "" {
			say(w, "%-9s%s\n", name, value)
		}
	}
	line("order", answer.OrderNo)
	if !answer.Passed {
		line("code", answer.Code)
		line("reason", answer.Reason)
		line("meaning", answer.Meaning)
		line("message", answer.Message)
	}
	line("score", answer.LiveRate)
	line("at", answer.OccurredAt)
	line("serial", answer.BizSeqNo)
	line("platform", answer.platform.String())
	for _, f := range []struct {
		name string
		file *fileJSON
	}{{"photo", answer.Photo}, {"video", answer.Video}} {
		if f.file != nil {
			line(f.name, strings.TrimSpace(fmt.Sprintf("%s, %s %s", f.file.File, size(f.file.Bytes), f.file.Type)))
		}
	}
}
