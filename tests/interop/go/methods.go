package main

import (
	"errors"
	"time"

	"github.com/koding/kite"
	"github.com/koding/kite/dnode"
)

const callBackTimeout = 10 * time.Second

// handleAll registers the methods that every peer of the tests has, whichever side dialled.
func handleAll(k *kite.Kite) {
	for name, handler := range map[string]kite.HandlerFunc{
		"square":    square,
		"cube":      cube,
		"echo":      echo,
		"log":       logLine,
		"fail":      fail,
		"failTyped": failTyped,
		"panic":     panics,
		"slow":      slow,
		"callback":  callback,
		"countdown": countdown,
		"fnResult":  fnResult,
		"nested":    nested,
		"numbers":   numbers,
		"total":     total,
		"reverse":   reverse,
		"whoami":    whoami,
	} {
		k.HandleFunc(name, handler)
	}
}

func square(r *kite.Request) (interface{}, error) {
	n := r.Args.One().MustFloat64()
	return n * n, nil
}

func cube(r *kite.Request) (interface{}, error) {
	n := r.Args.One().MustFloat64()
	return n * n * n, nil
}

func echo(r *kite.Request) (interface{}, error) {
	return r.Args, nil
}

func logLine(r *kite.Request) (interface{}, error) {
	say(event{"event": "method", "method": "log", "args": []string{r.Args.One().MustString()}})
	return nil, nil
}

func fail(r *kite.Request) (interface{}, error) {
	return nil, errors.New("boom")
}

func failTyped(r *kite.Request) (interface{}, error) {
	return nil, &kite.Error{Type: "teapotError", Message: "short and stout", CodeVal: "418"}
}

func panics(r *kite.Request) (interface{}, error) {
	panic("out of cheese")
}

func slow(r *kite.Request) (interface{}, error) {
	ms := r.Args.One().MustFloat64()
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return ms, nil
}

func callback(r *kite.Request) (interface{}, error) {
	args := r.Args.MustSliceOfLength(2)
	var value interface{}
	args[0].MustUnmarshal(&value)
	return "called", args[1].MustFunction().Call(value)
}

func countdown(r *kite.Request) (interface{}, error) {
	args := r.Args.MustSliceOfLength(2)
	fn := args[1].MustFunction()
	for n := int(args[0].MustFloat64()); n > 0; n-- {
		if err := fn.Call(n); err != nil {
			return nil, err
		}
	}
	return "liftoff", nil
}

// fnResult hands out a function f(x, reply) that calls reply(x + 1).
func fnResult(r *kite.Request) (interface{}, error) {
	return map[string]interface{}{
		"f": dnode.Callback(func(args *dnode.Partial) {
			pair := args.MustSliceOfLength(2)
			_ = pair[1].MustFunction().Call(pair[0].MustFloat64() + 1)
		}),
	}, nil
}

// nested calls its argument with a function times(x, reply) that calls reply(x * 10).
func nested(r *kite.Request) (interface{}, error) {
	times := dnode.Callback(func(args *dnode.Partial) {
		pair := args.MustSliceOfLength(2)
		_ = pair[1].MustFunction().Call(pair[0].MustFloat64() * 10)
	})
	return "nested", r.Args.One().MustFunction().Call(times)
}

// reverse(method, args...) calls the method on the caller, over the connection the call came by.
func reverse(r *kite.Request) (interface{}, error) {
	parts := r.Args.MustSlice()
	args := make([]interface{}, 0, len(parts))
	for _, part := range parts[1:] {
		var value interface{}
		part.MustUnmarshal(&value)
		args = append(args, value)
	}
	return r.Client.TellWithTimeout(parts[0].MustString(), callBackTimeout, args...)
}

func whoami(r *kite.Request) (interface{}, error) {
	authType := ""
	if r.Auth != nil {
		authType = r.Auth.Type
	}
	return map[string]interface{}{
		"username": r.Username,
		"authType": authType,
		"kite":     r.Client.Kite,
	}, nil
}
