package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	prices, err := pricesOf([]byte("product,cents\nhay,10\nrope,25\nrake,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for workers := 1; workers < 6; workers++ {
		var out bytes.Buffer
		err := join(&out, []byte("number,product,pieces\no1,hay,3\no2,rope,1\no3,none,9\no4,hay,2"), prices, workers)
		lines := strings.Split(out.String(), "\n")
		slices.Sort(lines)
		if want := []string{"", "o1\thay\t30", "o2\trope\t25", "o4\thay\t20"}; err != nil || !slices.Equal(lines, want) {
			t.Errorf("%d workers: %q, want %q (%v)", workers, lines, want, err)
		}
	}
}

func TestBadLines(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"p\nhay\n", "p\nhay,x\n", "p\n,1\n"} {
		if _, err := pricesOf([]byte(text)); err == nil || !strings.Contains(err.Error(), "offset 2") {
			t.Errorf("products %q: error %v, want one with the offset", text, err)
		}
	}
	if err := join(new(bytes.Buffer), []byte("n\no1,hay\n"), nil, 1); err == nil || !strings.Contains(err.Error(), "offset 2") {
		t.Errorf("error %v, want one with the offset", err)
	}
}
