package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
)

// event is one line of JSON on stdout.
type event map[string]interface{}

var stdout sync.Mutex

// say writes one event. Lines of concurrent handlers never mix.
func say(e event) {
	line, err := json.Marshal(e)
	if err != nil {
		line, _ = json.Marshal(event{"event": "broken", "message": err.Error()})
	}

	stdout.Lock()
	defer stdout.Unlock()
	fmt.Fprintf(os.Stdout, "%s\n", line)
}

// command is one line of JSON on stdin.
type command struct {
	ID      int           `json:"id"`
	Method  string        `json:"method"`
	Invoke  *int          `json:"invoke"`
	Args    []interface{} `json:"args"`
	Timeout int           `json:"timeout"`
}

// commands calls handle for every line of stdin, until it ends.
func commands(handle func(command)) error {
	reader := bufio.NewReaderSize(os.Stdin, 1<<20)

	for {
		line, err := reader.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}

		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			return fmt.Errorf("cannot read the command %q: %s", line, err)
		}
		handle(c)
	}
}
