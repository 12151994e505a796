package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/koding/kite"
	"github.com/koding/kite/config"
	"github.com/koding/kite/kitekey"
	kontrolkite "github.com/koding/kite/kontrol"
)

// readKiteKey takes over what a kite.key says, as a kite does that finds one at home.
func readKiteKey(c *config.Config, file string) error {
	if file == "" {
		return errors.New("-kitekeyfile is missing")
	}
	key, err := kitekey.ParseFile(file)
	if err != nil {
		return fmt.Errorf("cannot use the kite.key in %s: %s", file, err)
	}
	return c.ReadToken(key)
}

// readFiles gives the contents of some files.
func readFiles(names ...string) ([]string, error) {
	texts := make([]string, 0, len(names))
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}

// kontrol is a Go Kontrol on PostgreSQL, or on etcd's API of version 2. Its commands, beside calls to who connected last:
// "clean" removes expired registrations, "addKeyPair" (id, public file, private file) and
// "deleteKeyPair" (id) change its key pairs.
func kontrol(args []string) error {
	var postgres kontrolkite.PostgresConfig
	set := flag.NewFlagSet("kontrol", flag.ExitOnError)
	port := set.Int("port", 0, "the port to listen on")
	keyFile := set.String("kitekeyfile", "", "its own kite.key")
	public := set.String("public", "", "a PEM file with the public key")
	private := set.String("private", "", "a PEM file with the private key")
	keyID := set.String("keyid", "", "the id of the key pair, a new one if empty")
	machines := set.String("machines", "", "the URLs of etcd, with commas, in place of PostgreSQL")
	set.StringVar(&postgres.Host, "postgres-host", "127.0.0.1", "where PostgreSQL is")
	set.IntVar(&postgres.Port, "postgres-port", 5432, "its port")
	set.StringVar(&postgres.Username, "postgres-username", "", "the role to use")
	// Go's connection text goes wrong with an empty one.
	set.StringVar(&postgres.Password, "postgres-password", "none", "its password")
	set.StringVar(&postgres.DBName, "postgres-dbname", "", "the database")
	set.DurationVar(&kontrolkite.HeartbeatInterval, "heartbeat", 10*time.Second, "the interval of heartbeats")
	set.DurationVar(&kontrolkite.HeartbeatDelay, "delay", 20*time.Second, "what they may be late")
	set.DurationVar(&kontrolkite.UpdateInterval, "update", time.Minute, "the interval of updates")
	set.DurationVar(&kontrolkite.KeyTTL, "ttl", 90*time.Second, "the life of a registration")
	set.DurationVar(&kontrolkite.TokenTTL, "tokenttl", 48*time.Hour, "the life of a token")
	set.DurationVar(&kontrolkite.TokenLeeway, "tokenleeway", 5*time.Minute, "by how much it begins earlier and ends later")
	if err := set.Parse(args); err != nil {
		return err
	}
	postgres.ConnectTimeout = 20

	c := config.New()
	c.IP = "127.0.0.1"
	c.Port = *port
	if err := readKiteKey(c, *keyFile); err != nil {
		return err
	}
	pair, err := readFiles(*public, *private)
	if err != nil {
		return err
	}

	k := kontrolkite.New(c, version)
	if os.Getenv("KITE_LOG_LEVEL") == "" {
		k.Kite.SetLogLevel(kite.FATAL)
	}
	var storage *kontrolkite.Postgres
	if *machines != "" {
		k.SetStorage(kontrolkite.NewEtcd(strings.Split(*machines, ","), k.Kite.Log))
		k.SetKeyPairStorage(kontrolkite.NewMemKeyPairStorage())
	} else {
		storage = kontrolkite.NewPostgres(&postgres, k.Kite.Log)
		k.SetStorage(storage)
		k.SetKeyPairStorage(storage)
	}
	// As its own program does: a pair that the database has already is no failure.
	added := k.AddKeyPair(*keyID, pair[0], pair[1])

	handle := func(c command) (interface{}, error) {
		switch c.Method {
		case "clean":
			if storage == nil {
				return nil, errors.New("etcd cleans up by itself")
			}
			return storage.CleanExpiredRows(kontrolkite.KeyTTL)
		case "addKeyPair":
			id, files, err := pairArguments(c)
			if err != nil {
				return nil, err
			}
			return nil, k.AddKeyPair(id, files[0], files[1])
		case "deleteKeyPair":
			id, err := text(c, 0)
			if err != nil {
				return nil, err
			}
			return nil, k.DeleteKeyPair(id, "")
		default:
			return nil, fmt.Errorf("no command %q", c.Method)
		}
	}
	note := event{}
	if added != nil {
		note["message"] = added.Error()
	}
	return listen(k.Kite, k.Run, note, func(c command) {
		result, err := handle(c)
		answer(c.ID, result, err)
	})
}

func pairArguments(c command) (id string, files []string, err error) {
	names := make([]string, 3)
	for i := range names {
		if names[i], err = text(c, i); err != nil {
			return "", nil, err
		}
	}
	files, err = readFiles(names[1:]...)
	return names[0], files, err
}

// text is an argument of a command that must be a string.
func text(c command, index int) (string, error) {
	if index < len(c.Args) {
		if value, ok := c.Args[index].(string); ok {
			return value, nil
		}
	}
	return "", fmt.Errorf("argument %d of %q must be a string", index, c.Method)
}
