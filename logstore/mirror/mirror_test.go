package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
)

// chain is a fake log: the entries that are kept of one incarnation, chained as the store does.
type chain struct {
	mu          sync.Mutex
	incarnation uint32
	first       uint32 // sequence of the first kept entry
	before      edgeistry.Hash
	entries     [][]byte
	full        error // what Mirror returns
}

func (c *chain) ID() logstore.LogID { return logstore.LogID{Name: "temperature"} }

func (c *chain) hash(n int) edgeistry.Hash {
	hash := c.before
	for i, payload := range c.entries[:n] {
		at := edgeistry.Place{Incarnation: c.incarnation, Sequence: c.first + uint32(i)}
		hash = edgeistry.ChainHash(c.ID().Service.Hint(), c.ID().Name, at, hash, payload)
	}
	return hash
}

func (c *chain) Head() edgeistry.Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head()
}

func (c *chain) head() edgeistry.Head {
	if len(c.entries) == 0 {
		return edgeistry.Head{}
	}
	at := edgeistry.Place{Incarnation: c.incarnation, Sequence: c.first + uint32(len(c.entries)) - 1}
	return edgeistry.Head{Place: at, Oldest: c.first, Hash: c.hash(len(c.entries))}
}

// Mirror stores what follows the head; another run replaces the one before.
func (c *chain) Mirror(_ context.Context, prev edgeistry.Hash, first edgeistry.Place, payloads [][]byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	head := c.head()
	switch {
	case c.full != nil:
		return 0, c.full
	case len(c.entries) == 0 || first.Incarnation != head.Incarnation || first.Sequence > head.Sequence+1:
		c.incarnation, c.first, c.before, c.entries = first.Incarnation, first.Sequence, prev, nil
	case prev != head.Hash:
		return 0, &logstore.ForkError{Log: c.ID(), At: head.Place, Have: head.Hash, Got: prev}
	}
	c.entries = append(c.entries, payloads...)
	return len(payloads), nil
}

// source is a fake of who has the log: a chain, of which an answer holds so many entries, and how it fails.
type source struct {
	chain
	most int

	asked []coap.Query
	at    []time.Time
	fails []error // of the first requests; a nil one is none
	err   error   // of all later ones
	news  chan struct{}
}

func newSource(incarnation uint32, texts ...string) *source {
	s := &source{most: 2, news: make(chan struct{}, 1)}
	s.incarnation, s.first = incarnation, 1
	for _, text := range texts {
		s.entries = append(s.entries, []byte(text))
	}
	return s
}

// add appends an entry, and wakes who waits for it.
func (s *source) add(text string) {
	s.mu.Lock()
	s.entries = append(s.entries, []byte(text))
	s.mu.Unlock()
	s.news <- struct{}{}
}

func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *source) ask(ctx context.Context, m *coap.Message) (*client.Result, error) {
	q, err := m.Query()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.asked, s.at = append(s.asked, q), append(s.at, time.Now())
	err = s.err
	if len(s.fails) > 0 {
		err, s.fails = s.fails[0], s.fails[1:]
	}
	head := s.head()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if q.Wait > 0 && q.After == head.Place {
		select {
		case <-s.news:
		case <-time.After(time.Duration(q.Wait) * time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := 0
	if q.After.Incarnation == s.incarnation && q.After.Sequence >= s.first {
		from = min(int(q.After.Sequence-s.first)+1, len(s.entries))
	}
	part := s.entries[from:min(from+s.most, len(s.entries))]
	raw, err := coap.EncodeRange(coap.Range{Incarnation: s.incarnation, First: s.first + uint32(from), Previous: s.hash(from), Entries: part})
	return &client.Result{Response: &coap.Message{Payload: raw}}, err
}

// texts returns the entries of a chain.
func (c *chain) texts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, e := range c.entries {
		out = append(out, string(e))
	}
	return out
}

func TestCatchUp(t *testing.T) {
	from := newSource(1, "a", "b", "c", "d", "e")
	to := &chain{}
	f := &Follower{Log: to, Ask: from.ask}
	if !f.Current().IsZero() {
		t.Error("up to date before it was read")
	}
	if stored, err := f.CatchUp(t.Context()); stored != 5 || err != nil {
		t.Fatalf("stored %d, %v", stored, err)
	}
	if to.Head() != from.Head() || f.Current().IsZero() {
		t.Errorf("head %v, want %v; current %v", to.Head(), from.Head(), f.Current())
	}
	from.entries = append(from.entries, []byte("f"))
	again := &Follower{Log: to, Ask: from.ask} // as after a stop: the stored log is the place
	if stored, err := again.CatchUp(t.Context()); stored != 1 || err != nil || to.Head() != from.Head() {
		t.Errorf("resumed: stored %d, %v", stored, err)
	}
}

// TestCatchUpOverAGap: what the source keeps no more is left out, and the copy goes on behind it.
func TestCatchUpOverAGap(t *testing.T) {
	from := newSource(1, "a", "b", "c", "d", "e", "f")
	to := &chain{incarnation: 1, first: 1, entries: [][]byte{[]byte("a"), []byte("b")}}
	from.before = from.hash(4)
	from.first, from.entries = 5, from.entries[4:]
	f := &Follower{Log: to, Ask: from.ask, OfCopy: true}
	if stored, err := f.CatchUp(t.Context()); stored != 2 || err != nil || to.Head() != from.Head() {
		t.Errorf("stored %d, %v; head %v, want %v", stored, err, to.Head(), from.Head())
	}
}

// TestCatchUpOverANewIncarnation: a log that began anew is no fork.
func TestCatchUpOverANewIncarnation(t *testing.T) {
	from := newSource(2, "x")
	to := &chain{incarnation: 1, first: 1, entries: [][]byte{[]byte("a"), []byte("b")}}
	f := &Follower{Log: to, Ask: from.ask, OfCopy: true}
	if stored, err := f.CatchUp(t.Context()); stored != 1 || err != nil || to.Head() != from.Head() {
		t.Errorf("stored %d, %v; head %v, want %v", stored, err, to.Head(), from.Head())
	}
}

func TestForks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		from   []string
		ofCopy bool
		fork   bool
	}{
		{"the source ends before the copy", []string{"a", "b"}, true, true},
		{"the source ends with another entry", []string{"a", "b", "x"}, true, true},
		{"the source goes on from another entry", []string{"a", "b", "x", "y"}, true, true},
		{"the source is empty", nil, true, true},
		{"nothing is new", []string{"a", "b", "c"}, true, false},
		{"a device that lost its newest entries says so by its incarnation, or later", []string{"a", "b"}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to := &chain{incarnation: 1, first: 1, entries: [][]byte{[]byte("a"), []byte("b"), []byte("c")}}
			before := to.Head()
			f := &Follower{Log: to, Ask: newSource(1, tt.from...).ask, OfCopy: tt.ofCopy}
			_, err := f.CatchUp(t.Context())
			if isFork(err) != tt.fork || Permanent(err) != tt.fork {
				t.Errorf("error %v, want a fork: %t", err, tt.fork)
			}
			if to.Head() != before {
				t.Errorf("the copy was changed: %v", to.texts())
			}
		})
	}
}

// TestAnAnswerThatIsNoRange: what cannot be read is stored nowhere and asked for again.
func TestAnAnswerThatIsNoRange(t *testing.T) {
	to := &chain{}
	f := &Follower{Log: to, Ask: func(context.Context, *coap.Message) (*client.Result, error) {
		return &client.Result{Response: &coap.Message{Payload: []byte("no range")}}, nil
	}}
	if _, err := f.CatchUp(t.Context()); err == nil || Permanent(err) || !f.Current().IsZero() {
		t.Errorf("error %v", err)
	}
}

func TestPermanent(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{errors.New("no answer"), false},
		{&client.Denied{Reason: capability.ReasonGeneration}, false},
		{&client.Denied{Reason: capability.ReasonDenied, ByDevice: true}, true},
		{fmt.Errorf("read: %w", &logstore.ForkError{}), true},
		{&logstore.CorruptError{}, true},
		{fmt.Errorf("mirror: %w", logstore.ErrKind), true},
	} {
		if got := Permanent(tt.err); got != tt.want {
			t.Errorf("Permanent(%v) = %t", tt.err, got)
		}
	}
}

// puller is a pull under test, in a bubble of synctest.
type puller struct {
	*Pull
	from *source
	to   *chain

	mu   sync.Mutex
	home string
	wait uint8
}

func (p *puller) setHome(home string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.home = home
}

// startPull runs a pull until the test ends.
func startPull(t *testing.T, from *source, change func(*Config)) *puller {
	t.Helper()
	p := &puller{from: from, to: &chain{}, home: "home"}
	cfg := Config{
		Log: p.to, Ask: from.ask, Wait: func() uint8 { return p.wait }, Begin: func(context.Context) error { return nil },
		Home: func() string {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.home
		},
		Logger: slog.New(slog.DiscardHandler),
	}
	p.wait = 20
	if change != nil {
		change(&cfg)
	}
	p.Pull = NewPull(cfg)
	if s := p.Status(); s.State != Starting {
		t.Errorf("before Run: %+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

// pauses returns the times between the requests, the first n of them.
func (s *source) pauses(n int) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []time.Duration
	for i := 1; i < len(s.at) && i <= n; i++ {
		out = append(out, s.at[i].Sub(s.at[i-1]))
	}
	return out
}

// TestPullFollows: a read waits at the home for news, and each entry arrives at once.
func TestPullFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startPull(t, newSource(1, "a", "b", "c"), nil)
		synctest.Wait()
		if s := p.Status(); s.State != Following || s.From != "home" || s.Err != nil || p.to.Head() != p.from.Head() {
			t.Fatalf("%+v, %v", s, p.to.texts())
		}
		time.Sleep(25 * time.Second) // one read has ended with nothing, the next waits
		p.from.add("d")
		synctest.Wait()
		if p.to.Head() != p.from.Head() {
			t.Errorf("copied %v", p.to.texts())
		}
		if asked := p.from.asked; asked[0].Wait != 0 || asked[len(asked)-1].Wait != 20 || len(asked) > 8 {
			t.Errorf("asked %+v", asked)
		}
	})
}

// TestPullWithoutWaiting: where too many reads wait already, the home is asked at intervals.
func TestPullWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		startedAt := time.Now()
		p := startPull(t, newSource(1), func(c *Config) { c.Wait = func() uint8 { return 0 } })
		time.Sleep(20 * time.Second)
		p.from.mu.Lock()
		defer p.from.mu.Unlock()
		if n, most := len(p.from.at), int(time.Since(startedAt)/Idle)+2; n < most-2 || n > most {
			t.Errorf("asked %d times in 20 s", n)
		}
	})
}

// TestPullBacksOff: pauses double up to their bound, the first read after a failure waits for nothing, and all is well after it.
func TestPullBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("no answer")
		from := newSource(1, "a")
		from.err = lost
		p := startPull(t, from, nil)
		time.Sleep(36 * time.Second)
		want := []time.Duration{0, 1 * time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second}
		if got := from.pauses(len(want)); !slices.Equal(got, want) {
			t.Errorf("pauses %v, want %v", got, want)
		}
		if s := p.Status(); s.State != Retrying || !errors.Is(s.Err, lost) || s.Failed.IsZero() {
			t.Errorf("%+v", s)
		}
		from.fail(nil)
		time.Sleep(10 * time.Second)
		if s := p.Status(); s.State != Following || s.Err != nil || !s.Failed.IsZero() || len(p.to.texts()) != 1 {
			t.Errorf("after it: %+v, %v", s, p.to.texts())
		}
	})
}

// TestPullGoesOnWhenAHomeConnects: the pause after a failure ends when a home of the service is connected.
func TestPullGoesOnWhenAHomeConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := newSource(1, "a")
		from.err = errors.New("no way")
		p := startPull(t, from, nil)
		p.setHome("")
		time.Sleep(16 * time.Second) // in a pause of 10 s, or of 8
		from.fail(nil)
		p.setHome("home")
		time.Sleep(2 * MinInterval)
		synctest.Wait()
		if len(p.to.texts()) != 1 {
			t.Errorf("%+v", p.Status())
		}
	})
}

func TestPullRefused(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		pause time.Duration // before the third read after the greeting
	}{
		{"with proof: it is asked seldom", &client.Denied{Reason: capability.ReasonDenied, ByDevice: true}, MaxInterval},
		{"without proof: it may be a lie", &client.Denied{Reason: capability.ReasonDenyListed}, time.Second},
		{"of an epoch that is over", &client.Denied{Reason: capability.ReasonEpoch}, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := newSource(1, "a")
				from.err = tt.err
				p := startPull(t, from, nil)
				time.Sleep(11 * time.Second)
				if s := p.Status(); s.State != Refused || !errors.Is(s.Err, tt.err) {
					t.Errorf("%+v", s)
				}
				if got := from.pauses(2); len(got) < 2 || got[1] != tt.pause {
					t.Errorf("pauses %v, want %v", got, tt.pause)
				}
				from.fail(nil)
				time.Sleep(10 * time.Second)
				if s := p.Status(); s.State != Following {
					t.Errorf("taken back: %+v", s)
				}
			})
		})
	}
}

// TestPullForked: an answer alone does not end the state, only a read that fits the copy.
func TestPullForked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := newSource(1, "a")
		p := startPull(t, from, func(c *Config) {
			to := c.Log.(*chain)
			to.incarnation, to.first, to.entries = 1, 1, [][]byte{[]byte("a"), []byte("b")}
		})
		for range 3 {
			time.Sleep(MaxInterval)
			synctest.Wait()
			if s := p.Status(); s.State != Forked || !isFork(s.Err) {
				t.Fatalf("%+v", s)
			}
		}
		from.mu.Lock()
		if last := from.asked[len(from.asked)-1]; last.Wait != 0 {
			t.Errorf("the read after a fork waits for news: %+v", last)
		}
		from.mu.Unlock()
		from.mu.Lock()
		from.entries = append(from.entries, []byte("b"))
		from.mu.Unlock()
		time.Sleep(MaxInterval)
		synctest.Wait()
		if s := p.Status(); s.State != Following || s.Err != nil {
			t.Errorf("after the source has the same history: %+v", s)
		}
	})
}

// TestPullErrorOfBegin: what is wrong before a read is shown, and tried again, as what is wrong with the read.
func TestPullErrorOfBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unknown := errors.New("nobody knows where the log stands")
		p := startPull(t, newSource(1, "a"), func(c *Config) {
			c.Begin = func(context.Context) error { return unknown }
		})
		time.Sleep(time.Minute)
		if s := p.Status(); s.State != Retrying || !errors.Is(s.Err, unknown) {
			t.Errorf("%+v", s)
		}
	})
}

func TestInterval(t *testing.T) {
	for _, tt := range []struct {
		period         uint32
		shortest, want time.Duration
	}{
		{0, 100 * time.Millisecond, Idle},
		{1, 2 * time.Second, 2 * time.Second},
		{1, 100 * time.Millisecond, 250 * time.Millisecond},
		{10, 2 * time.Second, 2500 * time.Millisecond},
		{3600, 2 * time.Second, MaxInterval},
		{10, time.Minute, time.Minute},
	} {
		if got := Interval(tt.period, tt.shortest); got != tt.want {
			t.Errorf("Interval(%d, %v) = %v, want %v", tt.period, tt.shortest, got, tt.want)
		}
	}
	for failures, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 100: 10 * time.Second} {
		if got := Retry.After(failures); got != want {
			t.Errorf("Retry.After(%d) = %v, want %v", failures, got, want)
		}
	}
}
