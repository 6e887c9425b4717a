package retry

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestAfter(t *testing.T) {
	b := Backoff{First: time.Second, Last: 10 * time.Second}
	for failures, want := range map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 10, 100: 10, math.MaxInt: 10} {
		if got := b.After(failures); got != want*time.Second {
			t.Errorf("After(%d) = %v, want %v s", failures, got, int(want))
		}
	}
	if got := (Backoff{First: time.Minute, Last: time.Second}).After(1); got != time.Second {
		t.Errorf("a first pause above the longest: %v", got)
	}
}

func TestAfterWithChance(t *testing.T) {
	b := Backoff{First: time.Second, Last: 10 * time.Second, Spread: 5}
	less := false
	for range 200 {
		got := b.After(3)
		if got > 4*time.Second || got < 4*time.Second*4/5 {
			t.Fatalf("After(3) = %v, want 4 s less up to a fifth", got)
		}
		less = less || got < 4*time.Second
	}
	if !less {
		t.Error("nothing is left to chance")
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !Wait(t.Context(), time.Minute) || time.Since(began) != time.Minute {
			t.Errorf("waited %v", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if Wait(ctx, time.Minute) || time.Since(began) != time.Second {
			t.Errorf("waited %v for what had ended", time.Since(began))
		}
	})
}
