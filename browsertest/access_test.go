package browsertest

// What every page must be: as wide as the screen, usable without a mouse, and readable.

import (
	"fmt"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// interactive returns the visible elements that take input.
const interactive = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, video[controls]")]
	.filter(e => e.checkVisibility())`

// unnamed are elements without a text that a screen reader could say.
const unnamed = interactive + `.filter(e => !(
	e.getAttribute("aria-label") || e.labels?.[0]?.innerText.trim() || !["INPUT", "SELECT"].includes(e.tagName) && e.innerText?.trim()
)).map(e => e.outerHTML)`

// small are elements that a thumb misses.
const small = interactive + `.filter(e => e.getBoundingClientRect().height < 44).map(e => e.outerHTML)`

// faint are texts with less contrast than 4.5 to 1.
const faint = `(() => {
	const parse = c => (c.match(/[\d.]+/g) || []).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const ground = e => {
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c.length == 3 || c[3] > 0) return c;
		}
		return [255, 255, 255];
	};
	const found = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node; node = walker.nextNode();) {
		const e = node.parentElement;
		if (!node.data.trim() || !e.checkVisibility() || ["SCRIPT", "OPTION", "NOSCRIPT"].includes(e.tagName)) continue;
		const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
		if ((a + .05) / (b + .05) < 4.5) found.push(node.data.trim() + " " + ((a + .05) / (b + .05)).toFixed(2));
	}
	return found;
})()`

// fitsAndIsAccessible asserts it of the page in front of the person.
func (p *tab) fitsAndIsAccessible() {
	p.t.Helper()
	p.until(`document.readyState == "complete"`)
	// The screen's width, not the window's: a phone zooms out until a page that is too wide fits.
	assert.LessOrEqual(p.t, eval[int64](p, "document.documentElement.scrollWidth"), p.screen.width, "it scrolls sideways")
	assert.NotEmpty(p.t, eval[string](p, "document.documentElement.lang"))
	assert.NotEmpty(p.t, eval[string](p, "document.title"))
	assert.Equal(p.t, 1, eval[int](p, `document.querySelectorAll("h1").length`))
	assert.Empty(p.t, eval[[]string](p, unnamed), "elements without a label")
	assert.Empty(p.t, eval[[]string](p, small), "elements too small for a thumb")
	assert.Empty(p.t, eval[[]string](p, faint), "texts of too little contrast")
	assert.Empty(p.t, eval[[]string](p, `[...document.images].filter(i => !i.alt).map(i => i.src)`), "pictures without a text")

	p.do(chromedp.Evaluate[chromedp.Void](interactive + `.forEach((e, i) => e.dataset.nth = i); document.activeElement.blur()`))
	count := eval[int](p, interactive+".length")
	reached := map[string]bool{}
	for range 3*count + 12 { // the controls of a video are stops of their own
		if len(reached) == count {
			break
		}
		p.do(chromedp.KeyEvent("\t"))
		if nth := eval[string](p, `document.activeElement?.dataset?.nth ?? ""`); nth != "" {
			reached[nth] = true
			if eval[bool](p, "document.activeElement instanceof HTMLVideoElement") {
				continue // which of its controls has the focus is the browser's to show
			}
			assert.NotEqual(p.t, "none", eval[string](p, `getComputedStyle(document.activeElement).outlineStyle`), "the focus cannot be seen")
		}
	}
	assert.Len(p.t, reached, count, "elements that the keyboard does not reach")
}

// tabTo presses Tab until an element has the focus.
func (p *tab) tabTo(selector string) {
	p.t.Helper()
	for range 20 {
		p.do(chromedp.KeyEvent("\t"))
		if eval[bool](p, fmt.Sprintf("document.activeElement === document.querySelector(%q)", selector)) {
			return
		}
	}
	require.Fail(p.t, "the keyboard does not reach "+selector)
}
