package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/koding/kite"
	"github.com/koding/kite/config"
)

const version = "1.0.0"

// newKite is a kite that logs errors only: stdout belongs to the test.
func newKite(name string, c *config.Config) *kite.Kite {
	return newNamedKite(name, version, c)
}

func newNamedKite(name, version string, c *config.Config) *kite.Kite {
	k := kite.NewWithConfig(name, version, c)
	if os.Getenv("KITE_LOG_LEVEL") == "" {
		k.SetLogLevel(kite.FATAL)
	}
	return k
}

type serverFlags struct {
	port, transport, username, environment, issuer, kontrolKey string
	auth                                                       bool
}

func (f *serverFlags) register(set *flag.FlagSet) {
	set.StringVar(&f.port, "port", "0", "the port to listen on, 0 for any")
	set.BoolVar(&f.auth, "auth", false, "ask for a token or a kite.key")
	set.StringVar(&f.kontrolKey, "kontrolkey", "", "a PEM file with the public key to trust")
	set.StringVar(&f.username, "username", "unknown", "the owner of this kite")
	set.StringVar(&f.environment, "environment", "unknown", "the environment of this kite")
	set.StringVar(&f.issuer, "issuer", "kontrol", "who signs the tokens to trust")
	set.StringVar(&f.transport, "transport", "auto", "XHRPolling turns WebSocket off")
}

func (f *serverFlags) config() (*config.Config, error) {
	c := config.New()
	c.IP = "127.0.0.1"
	c.Username = f.username
	c.Environment = f.environment
	c.DisableAuthentication = !f.auth
	c.KontrolUser = f.issuer

	if _, err := fmt.Sscan(f.port, &c.Port); err != nil {
		return nil, fmt.Errorf("-port %q is not a number", f.port)
	}
	if f.transport == "XHRPolling" {
		options := *c.SockJS
		options.Websocket = false
		c.SockJS = &options
	}
	if f.kontrolKey != "" {
		pem, err := os.ReadFile(f.kontrolKey)
		if err != nil {
			return nil, err
		}
		c.KontrolKey = string(pem)
	}
	return c, nil
}

// run serves; its commands are calls to the kite that connected last. Who connects is reported unless
// quiet.
func run(k *kite.Kite, quiet bool) error {
	var mu sync.Mutex
	var last *kite.Client
	k.OnConnect(func(c *kite.Client) {
		mu.Lock()
		last = c
		mu.Unlock()
		if !quiet {
			say(event{"event": "connect"})
		}
	})
	if !quiet {
		k.OnDisconnect(func(*kite.Client) { say(event{"event": "disconnect"}) })
	}

	received := &functions{}
	return listen(k, k.Run, nil, func(c command) {
		mu.Lock()
		client := last
		mu.Unlock()
		if client == nil {
			answer(c.ID, nil, errors.New("no kite has connected"))
		} else {
			perform(client, received, c)
		}
	})
}

// listen runs a kite until stdin ends or the process is told to stop. Commands go to handle; ready
// is what to say beside the URL once it listens.
func listen(k *kite.Kite, start func(), ready event, handle func(command)) error {
	go start()
	<-k.ServerReadyNotify()
	if ready == nil {
		ready = event{}
	}
	ready["event"] = "ready"
	ready["url"] = fmt.Sprintf("http://127.0.0.1:%d/kite", k.Port())
	say(ready)

	done := make(chan error, 1)
	go func() { done <- commands(handle) }()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	var err error
	select {
	case err = <-done:
	case <-stop:
	}
	k.Close()
	return err
}

func serve(args []string) error {
	var f serverFlags
	set := flag.NewFlagSet("serve", flag.ExitOnError)
	f.register(set)
	name := set.String("name", "gopeer", "the name of this kite")
	if err := set.Parse(args); err != nil {
		return err
	}

	c, err := f.config()
	if err != nil {
		return err
	}

	k := newKite(*name, c)
	handleAll(k)
	return run(k, false)
}
