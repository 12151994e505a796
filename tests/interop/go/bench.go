package main

import (
	"errors"
	"flag"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// benchServe is a server with one method; -kontrolkey makes it verify a token on every call.
func benchServe(args []string) error {
	var f serverFlags
	set := flag.NewFlagSet("bench-serve", flag.ExitOnError)
	f.register(set)
	name := set.String("name", "gobench", "the name of this kite")
	if err := set.Parse(args); err != nil {
		return err
	}
	f.auth = f.auth || f.kontrolKey != ""

	c, err := f.config()
	if err != nil {
		return err
	}
	k := newKite(*name, c)
	k.HandleFunc("square", square)
	return run(k, true)
}

// benchCall keeps -inflight calls under way on each of -conns connections, and reports once.
func benchCall(args []string) error {
	var f clientFlags
	set := flag.NewFlagSet("bench-call", flag.ExitOnError)
	f.register(set)
	inflight := set.Int("inflight", 64, "calls under way on each connection")
	conns := set.Int("conns", 1, "connections")
	calls := set.Int("calls", 20000, "calls in all")
	if err := set.Parse(args); err != nil {
		return err
	}
	if *inflight < 1 || *conns < 1 || *calls < 1 {
		return errors.New("-inflight, -conns and -calls must be at least 1")
	}

	var (
		group   sync.WaitGroup
		left    = int64(*calls)
		mu      sync.Mutex
		all     = make([]time.Duration, 0, *calls)
		failure error
	)

	clients := make([]func() error, 0, *conns)
	for i := 0; i < *conns; i++ {
		client, err := f.client()
		if err != nil {
			return err
		}
		if err := client.DialTimeout(10 * time.Second); err != nil {
			return err
		}
		defer client.Close()
		clients = append(clients, func() error {
			result, err := client.TellWithTimeout("square", 30*time.Second, 4)
			if err == nil && result.MustFloat64() != 16 {
				err = errors.New("square of 4 is not 16")
			}
			return err
		})
	}

	begin := time.Now()
	for _, square := range clients {
		for i := 0; i < *inflight; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				own := make([]time.Duration, 0, *calls/(*inflight**conns)+1)
				var err error
				for err == nil && atomic.AddInt64(&left, -1) >= 0 {
					sent := time.Now()
					err = square()
					own = append(own, time.Since(sent))
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, own...)
				if err != nil {
					failure = err
				}
			}()
		}
	}
	group.Wait()
	seconds := time.Since(begin).Seconds()
	if failure != nil {
		return failure
	}

	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	percentile := func(p float64) float64 {
		return float64(all[int(p*float64(len(all)-1))].Microseconds()) / 1000
	}
	say(event{
		"calls":          len(all),
		"seconds":        seconds,
		"callsPerSecond": float64(len(all)) / seconds,
		"p50ms":          percentile(0.50),
		"p99ms":          percentile(0.99),
	})
	return nil
}
