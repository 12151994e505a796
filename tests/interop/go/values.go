package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/koding/kite/dnode"
)

// functions holds what the other side let us call; a line names one by its number.
type functions struct {
	mu   sync.Mutex
	list []dnode.Function
}

func (f *functions) add(fn dnode.Function) event {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fn)
	return event{"@fnref": len(f.list) - 1}
}

func (f *functions) get(number int) (dnode.Function, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if number < 0 || number >= len(f.list) {
		return dnode.Function{}, fmt.Errorf("no function %d was received", number)
	}
	return f.list[number], nil
}

// plain turns what came over the wire into JSON, with {"@fnref": n} where a function stands.
func (f *functions) plain(p *dnode.Partial) (interface{}, error) {
	if p == nil {
		return nil, nil
	}

	var value interface{}
	if err := json.Unmarshal(p.Raw, &value); err != nil {
		return nil, err
	}

	for _, spec := range p.CallbackSpecs {
		if err := place(&value, spec.Path, f.add(spec.Function)); err != nil {
			return nil, err
		}
	}
	return value, nil
}

// place puts leaf at path inside value.
func place(value *interface{}, path dnode.Path, leaf interface{}) error {
	if len(path) == 0 {
		*value = leaf
		return nil
	}

	key := fmt.Sprint(path[0])

	switch node := (*value).(type) {
	case map[string]interface{}:
		child := node[key]
		err := place(&child, path[1:], leaf)
		node[key] = child
		return err
	case []interface{}:
		index, err := strconv.Atoi(key)
		if err != nil || index < 0 || index >= len(node) {
			return fmt.Errorf("no element %q in an array of %d", key, len(node))
		}
		return place(&node[index], path[1:], leaf)
	default:
		return fmt.Errorf("nothing at %q in %T", key, node)
	}
}

// wire turns {"@fn": name} into a function whose calls are reported under that name.
func (f *functions) wire(value interface{}) interface{} {
	switch node := value.(type) {
	case []interface{}:
		for i := range node {
			node[i] = f.wire(node[i])
		}
		return node
	case map[string]interface{}:
		if name, ok := node["@fn"].(string); ok {
			return dnode.Callback(func(args *dnode.Partial) {
				values, err := f.plain(args)
				if err != nil {
					say(event{"event": "broken", "fn": name, "message": err.Error()})
					return
				}
				say(event{"event": "callback", "fn": name, "args": values})
			})
		}
		for key := range node {
			node[key] = f.wire(node[key])
		}
		return node
	default:
		return value
	}
}
