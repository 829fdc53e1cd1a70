package pipe

import (
	"fmt"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

// String returns the type's word.
func (t Type) String() string {
	switch t {
	case TypeUnicast:
		return "unicast"
	case TypeSecure:
		return "secure"
	case TypePropagate:
		return "propagate"
	}
	return fmt.Sprintf("type-%d", uint8(t))
}

// ParseType reads a type's word. Errors are BadRequest.
func ParseType(word string) (Type, error) {
	return parseWord("type", word, TypeUnicast, TypeSecure, TypePropagate)
}

// String returns the word.
func (b Binders) String() string {
	switch b {
	case Exclusive:
		return "exclusive"
	case Many:
		return "many"
	}
	return fmt.Sprintf("binders-%d", uint8(b))
}

// ParseBinders reads the word. Errors are BadRequest.
func ParseBinders(word string) (Binders, error) {
	return parseWord("binders", word, Exclusive, Many)
}

// String returns the policy's word.
func (d DialPolicy) String() string {
	switch d {
	case DialOpen:
		return "open"
	case DialListed:
		return "listed"
	case DialCapability:
		return "capability"
	}
	return fmt.Sprintf("dial-policy-%d", uint8(d))
}

// ParseDialPolicy reads a policy's word. Errors are BadRequest.
func ParseDialPolicy(word string) (DialPolicy, error) {
	return parseWord("dial policy", word, DialOpen, DialListed, DialCapability)
}

func parseWord[T fmt.Stringer](what, word string, all ...T) (T, error) {
	words := ""
	for _, v := range all {
		if v.String() == word {
			return v, nil
		}
		words += fmt.Sprintf(" %q", v.String())
	}
	var none T
	return none, wire.Errorf(wire.BadRequest, "%s %.40q: expected one of%s", what, word, words)
}
