// Package terminal is what a program needs to show foreign text in a terminal and
// to edit a line there: pure functions and machines, with no terminal in them.
//
// Text and Name make text that somebody else wrote harmless. A terminal obeys
// what it is shown: an escape sequence can retitle the window, rewrite what
// stands above, or answer as if typed; a return overwrites the name in front; a
// bidirectional override turns a line around; a hundred combining marks paint
// over the lines above. What remains is text, in which each such character is
// either gone or to be seen as what it is.
//
// Keys is the way in: it makes keys of the bytes that a terminal in raw mode
// sends, cut wherever they may be. Editor holds the text that is being typed,
// and moves by what a reader takes for one character (a grapheme cluster of
// Unicode, Standard Annex 29), however many bytes and columns it has. Painter is
// the way out: it makes of each frame the bytes that change the last one.
package terminal
