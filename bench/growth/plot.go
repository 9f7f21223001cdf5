package main

import (
	"encoding/xml"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/bench/measure"
)

// plot is a picture of curves, both axes of which are logarithmic.
type plot struct {
	title, x string
	// ticks are the marks on the x axis, as they are written.
	ticks  map[float64]string
	curves []curve
	// guide draws linear growth through the middle of the first curve.
	guide bool
}

// curve is a line through points; y is in seconds.
type curve struct {
	name   string
	colour string
	dashed bool
	points []dot
}

// dot is a median, between the least and the greatest.
type dot struct{ x, y, least, most float64 }

// Colours of jobs, which can be distinguished without full colour vision too
// (Okabe and Ito).
func colours() []string { return []string{"#0072b2", "#d55e00", "#009e73"} }

// plot makes a series' picture.
func (s *series) plot() plot {
	p := plot{title: "Time by " + s.name, x: s.x, ticks: map[float64]string{}, guide: s.linear}
	for i := range s.lines {
		l := &s.lines[i]
		wall := curve{name: l.name + ", wall", colour: colours()[i]}
		cpu := curve{name: l.name + ", CPU", colour: colours()[i], dashed: true}
		for k := range l.points {
			point := &l.points[k]
			if len(point.runs) == 0 {
				continue
			}
			x := float64(point.x) / s.unit
			p.ticks[x] = point.at(s.unit)
			wall.points = append(wall.points, dotOf(x, measure.Wall(point.runs)))
			cpu.points = append(cpu.points, dotOf(x, measure.CPU(point.runs)))
		}
		p.curves = append(p.curves, wall, cpu)
	}
	return p
}

// dotOf is the dot of some runs.
func dotOf(x float64, runs []time.Duration) dot {
	return dot{x, shown(measure.Median(runs)), shown(slices.Min(runs)), shown(slices.Max(runs))}
}

// shown keeps a time above zero, since zero has no place on a logarithmic axis.
func shown(d time.Duration) float64 { return max(d.Seconds(), 1e-3) }

// Shape of a picture, in pixels.
const (
	width, height                = 640, 400
	left, right, top, bottom     = 64, 168, 36, 52
	plotWidth                    = width - left - right
	plotHeight                   = height - top - bottom
	legendRow, legendLine        = 20, 26
	dotRadius, whisker, textDrop = 3, 3, 4
	background, ink, faintInk    = "#ffffff", "#222222", "#dddddd"
)

// svg returns the picture.
func (p plot) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="12" fill="%s">`+"\n", width, height, ink)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="%s"/>`+"\n", width, height, background)
	text(&b, width/2, top/2+textDrop, "middle", p.title)
	a, ok := p.axes()
	if !ok {
		text(&b, width/2, height/2, "middle", "nothing was measured")
		return b.String() + "</svg>\n"
	}
	p.frame(&b, a)
	for i := range p.curves {
		c := &p.curves[i]
		c.draw(&b, a)
		y := float64(top + legendRow*i + legendRow)
		fmt.Fprintf(&b, `<path d="M%d %.1fh%d" stroke="%s" stroke-width="2" fill="none"%s/>`+"\n", width-right+12, y, legendLine, c.colour, c.dash())
		text(&b, width-right+12+legendLine+6, y+textDrop, "start", c.name)
	}
	return b.String() + "</svg>\n"
}

func text(b *strings.Builder, x, y float64, anchor, what string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s">`, x, y, anchor)
	_ = xml.EscapeText(b, []byte(what)) // a builder takes everything
	b.WriteString("</text>\n")
}

// axes are the logarithms of the ranges that are shown.
type axes struct{ left, right, low, high float64 }

// axes spans all points. It is false if there are none.
func (p plot) axes() (axes, bool) {
	a := axes{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	for _, c := range p.curves {
		for _, d := range c.points {
			a.left, a.right = min(a.left, math.Log10(d.x)), max(a.right, math.Log10(d.x))
			a.low, a.high = min(a.low, math.Log10(d.least)), max(a.high, math.Log10(d.most))
		}
	}
	if math.IsInf(a.low, 0) {
		return a, false
	}
	if a.right-a.left < 0.1 {
		a.left, a.right = a.left-0.5, a.right+0.5
	}
	const room = 0.15
	margin := (a.right - a.left) / 20
	a.left, a.right = a.left-margin, a.right+margin
	a.low, a.high = a.low-room, a.high+room
	if a.high-a.low < 1 { // a decade at least, so that noise does not look like growth
		middle := (a.low + a.high) / 2
		a.low, a.high = middle-0.5, middle+0.5
	}
	return a, true
}

func (a axes) px(x float64) float64 {
	return left + plotWidth*(math.Log10(x)-a.left)/(a.right-a.left)
}

func (a axes) py(y float64) float64 {
	return top + plotHeight*(a.high-math.Log10(y))/(a.high-a.low)
}

// frame draws axes, ticks and the guide.
func (p plot) frame(b *strings.Builder, a axes) {
	for _, x := range slices.Sorted(maps.Keys(p.ticks)) {
		fmt.Fprintf(b, `<path d="M%.1f %dv%d" stroke="%s"/>`+"\n", a.px(x), top, plotHeight, faintInk)
		text(b, a.px(x), height-bottom+18, "middle", p.ticks[x])
	}
	for decade := math.Floor(a.low); decade <= a.high; decade++ {
		for _, m := range []float64{1, 2, 5} {
			y := m * math.Pow(10, decade)
			if log := math.Log10(y); log < a.low || log > a.high {
				continue
			}
			fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="%s"/>`+"\n", left, a.py(y), plotWidth, faintInk)
			text(b, left-6, a.py(y)+textDrop, "end", fmt.Sprintf("%.4g s", y))
		}
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="%s"/>`+"\n", left, top, plotWidth, plotHeight, ink)
	text(b, left+plotWidth/2, height-14, "middle", p.x)
	if first := p.curves[0].points; p.guide && len(first) > 0 {
		p.drawGuide(b, a, first[len(first)/2])
	}
}

// drawGuide draws where time would grow as x does, through a point.
func (p plot) drawGuide(b *strings.Builder, a axes, through dot) {
	slope := math.Log10(through.y) - math.Log10(through.x)
	from, to := max(a.left, a.low-slope), min(a.right, a.high-slope)
	fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="%s" stroke-dasharray="1 4" fill="none"/>`+"\n",
		a.px(math.Pow(10, from)), a.py(math.Pow(10, from+slope)), a.px(math.Pow(10, to)), a.py(math.Pow(10, to+slope)), ink)
	y := float64(top + legendRow*len(p.curves) + legendRow)
	fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="%s" stroke-dasharray="1 4" fill="none"/>`+"\n", width-right+12, y, legendLine, ink)
	text(b, width-right+12+legendLine+6, y+textDrop, "start", "linear")
}

func (c *curve) dash() string {
	if c.dashed {
		return ` stroke-dasharray="6 4"`
	}
	return ""
}

func (c *curve) draw(b *strings.Builder, a axes) {
	var path strings.Builder
	for i, d := range c.points {
		path.WriteByte("ML"[min(i, 1)])
		fmt.Fprintf(&path, "%.1f %.1f", a.px(d.x), a.py(d.y))
	}
	fmt.Fprintf(b, `<path d="%s" stroke="%s" stroke-width="2" fill="none"%s/>`+"\n", path.String(), c.colour, c.dash())
	for _, d := range c.points {
		fmt.Fprintf(b, `<path d="M%.1f %.1fh%dm-%d 0V%.1fm-%d 0h%d" stroke="%s" fill="none"/>`+"\n",
			a.px(d.x)-whisker, a.py(d.most), 2*whisker, whisker, a.py(d.least), whisker, 2*whisker, c.colour)
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="%d" fill="%s"/>`+"\n", a.px(d.x), a.py(d.y), dotRadius, c.colour)
	}
}
