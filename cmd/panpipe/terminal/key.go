package terminal

// Code says what a key does.
type Code int

// What keys do. What a key that is none of these would do is nothing.
const (
	None      Code = iota
	Typed          // inserts Text
	Pasted         // inserts Text, whatever is in it
	Enter          // ends the text
	NewLine        // Alt-Enter: begins another line
	Erase          // Backspace
	Delete         // the character under the cursor
	Left           // Ctrl-B
	Right          // Ctrl-F
	WordLeft       // Alt-B, Ctrl-Left
	WordRight      // Alt-F, Ctrl-Right
	Home           // Ctrl-A: to the beginning of the line
	End            // Ctrl-E
	Up             // Ctrl-P
	Down           // Ctrl-N
	PageUp
	PageDown
	EraseWord  // Ctrl-W
	EraseLeft  // Ctrl-U: to the beginning of the line
	EraseRight // Ctrl-K
	Interrupt  // Ctrl-C
	EndInput   // Ctrl-D
	Redraw     // Ctrl-L
	FocusIn    // the window has got the focus
	FocusOut
)

// Key is one key, or what was typed or pasted in a row.
type Key struct {
	Code Code
	Text string // with Typed and Pasted
}

// controls are the keys of one byte.
var controls = map[byte]Code{
	0x01: Home, 0x02: Left, 0x03: Interrupt, 0x04: EndInput, 0x05: End, 0x06: Right, 0x08: Erase, '\n': Enter, 0x0b: EraseRight,
	0x0c: Redraw, '\r': Enter, 0x0e: Down, 0x10: Up, 0x15: EraseLeft, 0x17: EraseWord, 0x7f: Erase,
}

// alts are the keys that Alt puts an escape before.
var alts = map[byte]Code{'\r': NewLine, '\n': NewLine, 'b': WordLeft, 'f': WordRight, 0x7f: EraseWord, 0x08: EraseWord}

// finals are the sequences ESC [ … and ESC O … that end in a letter.
var finals = map[byte]Code{'A': Up, 'B': Down, 'C': Right, 'D': Left, 'H': Home, 'F': End, 'I': FocusIn, 'O': FocusOut}

// numbered are the sequences ESC [ n ~.
var numbered = map[string]Code{"1": Home, "3": Delete, "4": End, "5": PageUp, "6": PageDown, "7": Home, "8": End}
