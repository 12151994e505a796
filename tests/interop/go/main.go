// Command peer is a Go kite for the tests of this project: the real github.com/koding/kite
// library behind a few sub-commands that a test can drive.
package main

import (
	"fmt"
	"os"
)

func main() {
	commands := map[string]func([]string) error{
		"serve":        serve,
		"registered":   registered,
		"kontrol":      kontrol,
		"reverseproxy": reverseProxy,
		"tunnelproxy":  tunnelProxy,
		"relay":        relay,
		"call":         call,
		"bench-serve":  benchServe,
		"bench-call":   benchCall,
	}

	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: peer serve|call|registered|kontrol|reverseproxy|tunnelproxy|relay|bench-serve|bench-call [flags]")
		os.Exit(2)
	}

	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "peer %s: %s\n", os.Args[1], err)
		os.Exit(1)
	}
}
