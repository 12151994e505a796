package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/koding/kite"
	"github.com/koding/kite/config"
	"github.com/koding/kite/protocol"
)

// kontrolled is a kite that has a Kontrol: its commands are what a Go program does with one.
type kontrolled struct {
	kite *kite.Kite
	url  *url.URL

	mu      sync.Mutex
	clients []*kite.Client
}

// found is how a kite that GetKites gave is reported.
func found(c *kite.Client) event {
	return event{"kite": c.Kite, "url": c.URL, "token": c.Auth.Key}
}

func decode(c command, index int, target interface{}) error {
	if index >= len(c.Args) {
		return fmt.Errorf("argument %d of %q is missing", index, c.Method)
	}
	raw, err := json.Marshal(c.Args[index])
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, target)
}

// keep remembers clients, for "tell" to call them by their number.
func (k *kontrolled) keep(clients []*kite.Client) []event {
	k.mu.Lock()
	defer k.mu.Unlock()
	described := make([]event, 0, len(clients))
	for _, client := range clients {
		number := len(k.clients)
		client.OnTokenRenew(func(token string) {
			say(event{"event": "tokenRenew", "args": []interface{}{number, token}})
		})
		k.clients = append(k.clients, client)
		described = append(described, found(client))
	}
	return described
}

func (k *kontrolled) client(number int) (*kite.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if number < 0 || number >= len(k.clients) {
		return nil, fmt.Errorf("no kite %d was found", number)
	}
	return k.clients[number], nil
}

// handle does what a command says:
//
//	register, registerForever, registerHTTP, registerHTTPForever ([url])
//	registerToProxy, registerToTunnel (): keep it registered behind a proxy
//	getKites (query): those found, each kept; their numbers count on over all queries
//	dial (number), tell (number, method, arguments...)
//	getToken, getTokenForce (kite), getKey (), keys (): the keys that this kite holds now
func (k *kontrolled) handle(c command) (interface{}, error) {
	where := k.url
	if given, err := text(c, 0); err == nil {
		parsed, err := url.Parse(given)
		if err != nil {
			return nil, err
		}
		where = parsed
	}
	var asked protocol.Kite
	var number int

	switch c.Method {
	case "register":
		result, err := k.kite.Register(where)
		if err != nil {
			return nil, err
		}
		return result.URL.String(), nil
	case "registerForever":
		return nil, k.kite.RegisterForever(where)
	case "registerHTTP":
		result, err := k.kite.RegisterHTTP(where)
		if err != nil {
			return nil, err
		}
		return result.URL.String(), nil
	case "registerHTTPForever":
		k.kite.RegisterHTTPForever(where)
		return nil, nil
	case "registerToProxy":
		// Never returns; "registered" tells of each success.
		go k.kite.RegisterToProxy(k.url, &protocol.KontrolQuery{
			Username:    k.kite.Config.KontrolUser,
			Environment: k.kite.Config.Environment,
			Name:        "proxy",
		})
		return nil, nil
	case "registerToTunnel":
		go k.kite.RegisterToTunnel()
		return nil, nil
	case "getKites":
		var query protocol.KontrolQuery
		if err := decode(c, 0, &query); err != nil {
			return nil, err
		}
		clients, err := k.kite.GetKites(&query)
		if err != nil {
			return nil, err
		}
		return k.keep(clients), nil
	case "getToken":
		if err := decode(c, 0, &asked); err != nil {
			return nil, err
		}
		return k.kite.GetToken(&asked)
	case "getTokenForce":
		if err := decode(c, 0, &asked); err != nil {
			return nil, err
		}
		return k.kite.GetTokenForce(&asked)
	case "getKey":
		return k.kite.GetKey()
	case "keys":
		return event{"kiteKey": k.kite.KiteKey(), "kontrolKey": k.kite.Config.KontrolKey}, nil
	case "dial":
		if err := decode(c, 0, &number); err != nil {
			return nil, err
		}
		client, err := k.client(number)
		if err != nil {
			return nil, err
		}
		return nil, client.DialTimeout(10 * time.Second)
	case "tell":
		return k.tell(c)
	default:
		return nil, fmt.Errorf("no command %q", c.Method)
	}
}

func (k *kontrolled) tell(c command) (interface{}, error) {
	var number int
	if err := decode(c, 0, &number); err != nil {
		return nil, err
	}
	method, err := text(c, 1)
	if err != nil {
		return nil, err
	}
	client, err := k.client(number)
	if err != nil {
		return nil, err
	}
	result, err := client.TellWithTimeout(method, 10*time.Second, c.Args[2:]...)
	if err != nil {
		return nil, err
	}
	return (&functions{}).plain(result)
}

func registered(args []string) error {
	set := flag.NewFlagSet("registered", flag.ExitOnError)
	keyFile := set.String("kitekeyfile", "", "the kite.key, which also says where Kontrol is")
	kontrolURL := set.String("kontrol", "", "the Kontrol to use instead")
	name := set.String("name", "gopeer", "the name of this kite")
	kiteVersion := set.String("version", version, "the version of this kite")
	environment := set.String("environment", "testing", "the environment of this kite")
	region := set.String("region", "local", "the region of this kite")
	transport := set.String("transport", "auto", "auto, WebSocket or XHRPolling")
	if err := set.Parse(args); err != nil {
		return err
	}

	c := config.New()
	c.IP = "127.0.0.1"
	if err := readKiteKey(c, *keyFile); err != nil {
		return err
	}
	c.Environment = *environment
	c.Region = *region
	known := false
	if c.Transport, known = config.Transports[*transport]; !known {
		return fmt.Errorf("-transport %q is none of auto, WebSocket, XHRPolling", *transport)
	}
	if *kontrolURL != "" {
		c.KontrolURL = *kontrolURL
	}

	k := newNamedKite(*name, *kiteVersion, c)
	handleAll(k)
	k.OnRegister(func(result *protocol.RegisterResult) {
		say(event{"event": "registered", "args": []interface{}{result}})
	})
	own := &kontrolled{kite: k}
	return listen(k, k.Run, event{"args": []interface{}{k.Kite()}}, func(c command) {
		// Known only once it listens, which is before the first command.
		if own.url == nil {
			own.url = &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", k.Port()), Path: "/kite"}
		}
		go func() {
			result, err := own.handle(c)
			answer(c.ID, result, err)
		}()
	})
}
