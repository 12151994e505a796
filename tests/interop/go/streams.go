package main

import (
	"sync"

	"github.com/koding/kite"
	"github.com/koding/kite/dnode"
)

// stream is how a stream of our kites travels: two plain functions.
type stream struct {
	Pull   dnode.Function `json:"pull"`
	Cancel dnode.Function `json:"cancel"`
}

// numbers streams the integers from 0 to below its argument, as many as the consumer allows.
func numbers(r *kite.Request) (interface{}, error) {
	to := int(r.Args.One().MustFloat64())
	var mu sync.Mutex
	var next, end dnode.Function
	sent := 0
	pull := dnode.Callback(func(args *dnode.Partial) {
		mu.Lock()
		defer mu.Unlock()
		all := args.MustSlice()
		if len(all) > 2 {
			next, end = all[1].MustFunction(), all[2].MustFunction()
		}
		for credit := int(all[0].MustFloat64()); credit > 0 && sent < to; credit-- {
			_ = next.Call(sent)
			sent++
		}
		if sent == to {
			sent++
			_ = end.Call(nil)
		}
	})
	cancel := dnode.Callback(func(*dnode.Partial) {
		mu.Lock()
		defer mu.Unlock()
		sent = to + 1
		say(event{"event": "cancelled"})
	})
	return map[string]interface{}{"$stream": 1, "pull": pull, "cancel": cancel}, nil
}

// total(stream, most, done) adds up the numbers of a stream, and leaves it after so many. It tells
// done, since a Go kite runs no callback before its handler has returned.
func total(r *kite.Request) (interface{}, error) {
	args := r.Args.MustSliceOfLength(3)
	var source stream
	args[0].MustUnmarshal(&source)
	most := int(args[1].MustFloat64())
	done := args[2].MustFunction()

	const credit = 10
	var mu sync.Mutex
	sum, count := 0.0, 0
	finish := func(how string) {
		_ = done.Call(map[string]interface{}{"sum": sum, "count": count, "how": how})
	}
	next := dnode.Callback(func(args *dnode.Partial) {
		mu.Lock()
		defer mu.Unlock()
		for _, item := range args.MustSlice() {
			if count == most {
				return
			}
			sum += item.MustFloat64()
			count++
			if count == most {
				_ = source.Cancel.Call()
				finish("left")
			} else if count%credit == 0 {
				_ = source.Pull.Call(credit)
			}
		}
	})
	end := dnode.Callback(func(args *dnode.Partial) {
		mu.Lock()
		defer mu.Unlock()
		var failure *kite.Error
		if all := args.MustSlice(); len(all) > 0 && all[0] != nil {
			all[0].MustUnmarshal(&failure)
		}
		if failure != nil {
			finish(failure.Type + ": " + failure.Message)
		} else {
			finish("ended")
		}
	})
	return nil, source.Pull.Call(credit, next, end)
}
