// Package control serves the local API of a node: HTTP with JSON on a Unix
// socket that only its owner (and root) can use, and on request on a loopback
// TCP port where every request carries a token. The package api has the types,
// openapi.json the routes; the command line uses nothing else.
//
// # Safety
//
// The socket is mode 0600 and the server asks the kernel who is at the other
// end: only the same user and root get an answer. On TCP a token from the
// token file is needed, which is scoped to read or to write, and the Host
// header must name the loopback address, so that a web page cannot reach the
// API by rebinding its own name. A request with an Origin header is refused
// unless the origin is the API's own address, WebSockets included. Every route
// is declared with the scope that it needs: what only tells is read, what
// changes anything or moves bytes is write.
//
// # Raw bytes
//
// A GET with "Upgrade: panpipe" on pipes/{ref}/dial or connections/{id} is
// answered 101 when the far side has accepted. Then the socket carries the
// bytes of the pipe, and nothing else. Each side ends its data by shutting
// down its half of the socket (on TCP with FIN), and the other half goes on. A
// program must not shut down before the 101, and must not close before it has
// read to the end: a program that is gone before both sides have ended has cut
// the connection, and the far side sees a failure. When the connection fails, both
// halves close; GET connections/{id} then says state failed, and why, so that
// a program can tell a cut from an end. The ID is in the header
// Panpipe-Connection of the 101.
//
// A program that dies closes its socket too. On a Unix socket of Linux that is
// told from an end, except where the far side has ended first; elsewhere it is
// not. So a request to upgrade may have "Panpipe-End: announced": then the
// program's end counts only after POST connections/{id}/end, which it sends
// when it has written all and before it shuts down its half. The Go client and
// the command line do.
//
// With "Upgrade: websocket" (RFC 6455) each binary message carries bytes, and
// its boundaries mean nothing. An empty binary message ends the data of the
// side that sends it. When both sides have ended, the server closes with
// status 1000; a failed connection is closed with status 1011 and the problem
// code as reason. A text message is refused with status 1003, a message above
// 1 MiB with 1009.
//
// # Listening
//
// POST pipes/{ref}/listen binds the pipe for as long as the request lives, and
// streams one JSON object a line (application/x-ndjson): bound first, then a
// connection whenever somebody dials. Each offered connection is taken by GET
// connections/{id} with an upgrade as above, by anybody with write scope; one
// that is not taken within ten seconds is dropped. The binding is withdrawn when
// the client has gone; DELETE on the same route does it too, and answers when it
// is done, so that the next listen finds the pipe free. The event bound has the
// ID of the listen: a DELETE with listen=ID ends that one alone, and not another
// that has the pipe since.
//
// # Events
//
// GET events is a stream of server-sent events. IDs rise, over restarts too. A
// reader that comes back with Last-Event-ID gets what it missed; where that is
// no longer kept, it gets one event "gap" that names the IDs, and goes on from
// the oldest one kept. At most 1,024 are kept, of at most 4 MiB. A line of comment every 15 s keeps the stream alive. An
// event status comes whenever the overlay's state or the node's addresses have
// changed.
//
// # The account
//
// An account is made in two steps, so that none is without its recovery file:
// POST account/drafts answers with the file's text and keeps nothing; POST account
// with the draft's ID keeps it. A draft waits ten minutes, and the last one only.
//
// POST account/link lets one device in for as long as the request lives, and
// streams one JSON object a line: offered with code and ticket, failed for each
// device that tried in vain, then linked or closed. On the new device POST
// account/join takes code or ticket. {device} is a peer ID, or a device's name if
// one alone has it. An event account comes whenever profile or devices have
// changed, without own_account when the node has none any more.
//
// # Buddies and chats
//
// Routes of buddies, requests and chats take {buddy}: an account's ID, a petname,
// or the name that a buddy gives itself if one alone has it. A petname goes first,
// so that nobody is taken for another by choosing a name. Programs should use
// IDs, which do not change.
//
// An event message comes for each message that is new at this node: those of the
// other side, this account's own (of this device too), and those of long ago that
// another own device hands over; once each, but not always in the order of their
// places. What a reader misses it finds in chats/{buddy}/messages, page by page,
// by place. An event mark says that deliveries have changed there.
//
// A buddy is connected to when it is there and somebody attends to it: a reader
// of events with attend=BUDDY does, for as long as it reads. Otherwise its
// presence is looked up in the background.
//
// Names, status and texts of others are given as they wrote them: any UTF-8.
// Who shows them in a terminal or a page has to make them harmless.
package control
