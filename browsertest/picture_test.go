package browsertest

// Pictures small enough for a repository: PNG with a palette of 256 colours, chosen by median cut.

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"slices"
)

// shrink returns a PNG of 256 colours: a third of the size, and hardly an eye tells.
func shrink(full []byte) ([]byte, error) {
	picture, err := png.Decode(bytes.NewReader(full))
	if err != nil {
		return nil, err
	}
	bounds := picture.Bounds()
	counts := map[[3]uint8]int{}
	at := func(x, y int) [3]uint8 {
		r, g, b, _ := picture.At(x, y).RGBA()
		return [3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	palette, index := medianCut(counts, 256)
	small := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			small.SetColorIndex(x, y, index[at(x, y)])
		}
	}
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small)
	return out.Bytes(), err
}

// box is a set of colours that share one entry of the palette.
type box [][3]uint8

// widest returns the channel in which the box is widest, and how wide.
func (b box) widest() (channel, width int) {
	for c := range 3 {
		low, high := 255, 0
		for _, v := range b {
			low, high = min(low, int(v[c])), max(high, int(v[c]))
		}
		if high-low > width {
			channel, width = c, high-low
		}
	}
	return channel, width
}

func (b box) pixels(counts map[[3]uint8]int) (n float64) {
	for _, c := range b {
		n += float64(counts[c])
	}
	return n
}

func medianCut(counts map[[3]uint8]int, size int) (color.Palette, map[[3]uint8]uint8) {
	var all box
	for c := range counts {
		all = append(all, c)
	}
	boxes := []box{all}
	for len(boxes) < size {
		widest, channel, most := -1, 0, 0.0
		for i, b := range boxes {
			// Large areas count for more, or their shades melt into one another.
			if c, width := b.widest(); float64(width)*math.Sqrt(b.pixels(counts)) > most {
				widest, channel, most = i, c, float64(width)*math.Sqrt(b.pixels(counts))
			}
		}
		if widest < 0 {
			break // every colour has an entry of its own
		}
		b := boxes[widest]
		slices.SortFunc(b, func(x, y [3]uint8) int { return int(x[channel]) - int(y[channel]) })
		boxes[widest] = b[:len(b)/2]
		boxes = append(boxes, b[len(b)/2:])
	}
	var palette color.Palette
	index := map[[3]uint8]uint8{}
	for i, b := range boxes {
		var sum [3]int
		total := 0
		for _, c := range b {
			index[c] = uint8(i)
			total += counts[c]
			for channel := range 3 {
				sum[channel] += counts[c] * int(c[channel])
			}
		}
		palette = append(palette, color.RGBA{uint8(sum[0] / total), uint8(sum[1] / total), uint8(sum[2] / total), 255})
	}
	return palette, index
}
