// Package chat is a conversation as a person sees and writes it in a terminal,
// and as a script does, line by line.
//
// The interactive one is a machine without a terminal, a clock or a node: Model
// takes what happens (a key, a message, a page of older ones, a node that has
// left) and says what is to be done; View makes a screen of it. Run joins it to a
// terminal and to the local API:
//
//	   keys, sizes                                 rows that have changed
//	terminal ----------> Model --Step--> effects    <------------- View
//	   ^                   |                |
//	   |                   +----------------|----- Send, Messages, MarkRead
//	   +--------------------- events <------+
//
// Nothing that the other side wrote reaches the terminal but through
// terminal.Text and terminal.Name, and each row of a message begins in a column
// that its writer cannot get at: so no text can look like another's message.
//
// A text is taken from the input when it is sent, and put back when the node
// could not keep it.
package chat
