package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/koding/kite"
	"github.com/koding/kite/config"
)

type clientFlags struct {
	url, transport, token, kiteKey, username string
	forever                                  bool
}

func (f *clientFlags) register(set *flag.FlagSet) {
	set.StringVar(&f.url, "url", "", "the kite to dial")
	set.StringVar(&f.transport, "transport", "auto", "auto, WebSocket or XHRPolling")
	set.StringVar(&f.token, "token", "", "a token to send with each call")
	set.StringVar(&f.kiteKey, "kitekey", "", "a kite.key to send with each call")
	set.StringVar(&f.username, "username", "unknown", "the username to claim")
	set.BoolVar(&f.forever, "forever", false, "dial for ever, and again after a disconnect")
}

func (f *clientFlags) client() (*kite.Client, error) {
	if f.url == "" {
		return nil, errors.New("-url is missing")
	}
	transport, ok := config.Transports[f.transport]
	if !ok {
		return nil, fmt.Errorf("-transport %q is none of auto, WebSocket, XHRPolling", f.transport)
	}

	c := config.New()
	c.Transport = transport
	c.Username = f.username
	k := newKite("gocaller", c)
	handleAll(k)

	client := k.NewClient(f.url)
	switch {
	case f.token != "":
		client.Auth = &kite.Auth{Type: "token", Key: f.token}
	case f.kiteKey != "":
		client.Auth = &kite.Auth{Type: "kiteKey", Key: f.kiteKey}
	}
	return client, nil
}

// answer is the line that ends one command.
func answer(id int, result interface{}, err error) {
	if err == nil {
		say(event{"id": id, "result": result})
		return
	}

	var kiteError *kite.Error
	if !errors.As(err, &kiteError) {
		kiteError = &kite.Error{Type: "peerError", Message: err.Error()}
	}
	say(event{"id": id, "error": kiteError})
}

func call(args []string) error {
	var f clientFlags
	set := flag.NewFlagSet("call", flag.ExitOnError)
	f.register(set)
	if err := set.Parse(args); err != nil {
		return err
	}

	client, err := f.client()
	if err != nil {
		return err
	}
	client.OnConnect(func() { say(event{"event": "connect"}) })
	client.OnDisconnect(func() { say(event{"event": "disconnect"}) })

	if f.forever {
		_, err = client.DialForever()
	} else {
		err = client.DialTimeout(10 * time.Second)
	}
	if err != nil {
		return err
	}
	say(event{"event": "ready", "url": f.url})

	received := &functions{}
	err = commands(func(c command) { perform(client, received, c) })
	client.Close()
	return err
}

// perform sends in the order of the commands; the answers come when they come.
func perform(client *kite.Client, received *functions, c command) {
	args := received.wire(c.Args).([]interface{})

	if c.Invoke != nil {
		fn, err := received.get(*c.Invoke)
		if err == nil {
			err = fn.Call(args...)
		}
		answer(c.ID, nil, err)
		return
	}

	timeout := 10 * time.Second
	if c.Timeout > 0 {
		timeout = time.Duration(c.Timeout) * time.Millisecond
	}
	response := client.GoWithTimeout(c.Method, timeout, args...)
	go func() {
		r := <-response
		if r.Err != nil {
			answer(c.ID, nil, r.Err)
			return
		}
		result, err := received.plain(r.Result)
		answer(c.ID, result, err)
	}()
}
