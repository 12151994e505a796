package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"

	"github.com/koding/kite"
	"github.com/koding/kite/config"
	"github.com/koding/kite/reverseproxy"
	"github.com/koding/kite/tunnelproxy"
)

// proxyFlags are those that both proxies have.
type proxyFlags struct {
	port        int
	keyFile     string
	environment string
	open        bool
}

func (f *proxyFlags) register(set *flag.FlagSet) {
	set.IntVar(&f.port, "port", 0, "the port to listen on")
	set.StringVar(&f.keyFile, "kitekeyfile", "", "its own kite.key, which says where its Kontrol is")
	set.StringVar(&f.environment, "environment", "development", "the environment to register in")
	set.BoolVar(&f.open, "open", false, "run without a Kontrol, and let any kite register")
}

func (f *proxyFlags) config() (*config.Config, error) {
	c := config.New()
	c.IP = "127.0.0.1"
	c.Port = f.port
	c.DisableAuthentication = f.open
	if !f.open {
		if err := readKiteKey(c, f.keyFile); err != nil {
			return nil, err
		}
	}
	c.Environment = f.environment
	return c, nil
}

func quiet(k *kite.Kite) { k.SetLogLevel(kite.FATAL) }

// reverseProxy is Go's reverse proxy, as its own program sets it up.
func reverseProxy(args []string) error {
	var f proxyFlags
	set := flag.NewFlagSet("reverseproxy", flag.ExitOnError)
	f.register(set)
	if err := set.Parse(args); err != nil {
		return err
	}
	c, err := f.config()
	if err != nil {
		return err
	}
	p := reverseproxy.New(c)
	quiet(p.Kite)
	p.PublicHost, p.PublicPort, p.Scheme = "127.0.0.1", f.port, "http"
	go p.Run()
	<-p.ReadyNotify()
	own := fmt.Sprintf("http://127.0.0.1:%d/kite", f.port)
	if !f.open {
		parsed, err := url.Parse(own)
		if err != nil {
			return err
		}
		if err := p.Kite.RegisterForever(parsed); err != nil {
			return err
		}
	}
	say(event{"event": "ready", "url": own})
	return commands(func(c command) { answer(c.ID, nil, fmt.Errorf("no command %q", c.Method)) })
}

// tunnelProxy is Go's tunnel proxy, as its own program sets it up.
func tunnelProxy(args []string) error {
	var f proxyFlags
	set := flag.NewFlagSet("tunnelproxy", flag.ExitOnError)
	f.register(set)
	public := set.String("public", "", "a PEM file with the public key of its tokens")
	private := set.String("private", "", "a PEM file with the private key")
	if err := set.Parse(args); err != nil {
		return err
	}
	c, err := f.config()
	if err != nil {
		return err
	}
	pair, err := readFiles(*public, *private)
	if err != nil {
		return err
	}
	p := tunnelproxy.New(c, "0.0.1", pair[0], pair[1])
	quiet(p.Kite)
	p.PublicHost = fmt.Sprintf("127.0.0.1:%d", f.port)
	p.RegisterToKontrol = false
	p.Start()
	own := fmt.Sprintf("http://127.0.0.1:%d/kite", f.port)
	if !f.open {
		parsed, err := url.Parse(own)
		if err != nil {
			return err
		}
		if err := p.Kite.RegisterForever(parsed); err != nil {
			return err
		}
	}
	say(event{"event": "ready", "url": own})
	return commands(func(c command) { answer(c.ID, nil, fmt.Errorf("no command %q", c.Method)) })
}

// relay copies bytes between its clients and -target, as the least that any proxy does.
func relay(args []string) error {
	set := flag.NewFlagSet("relay", flag.ExitOnError)
	port := set.Int("port", 0, "the port to listen on")
	target := set.String("target", "", "the host:port to connect to")
	if err := set.Parse(args); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		return err
	}
	say(event{"event": "ready", "url": listener.Addr().String()})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", *target)
				if err != nil {
					return
				}
				go func() {
					defer server.Close()
					_, _ = io.Copy(server, client)
				}()
				_, _ = io.Copy(client, server)
			}()
		}
	}()
	return commands(func(c command) { answer(c.ID, nil, fmt.Errorf("no command %q", c.Method)) })
}
