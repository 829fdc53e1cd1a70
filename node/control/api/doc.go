// Package api holds the types of the local API, shared by the server, the Go
// client and the command line. The OpenAPI file beside the server is made from
// them, comments included, and a test keeps it so.
//
// The API is HTTP with JSON bodies under /v1, on a Unix socket:
//
//   - Field names are lower snake case and stable: fields are added, never
//     renamed. A request with a field or query parameter that the server does
//     not know is refused.
//   - Times are RFC 3339, durations in answers are whole milliseconds (fields
//     that end in _ms), durations in requests are texts such as "30s".
//   - A pipe is referred to by a local name or by its ID, with or without
//     "pipe:" in front.
//   - A failure is a Problem, with media type application/problem+json.
//   - Raw bytes go over a connection upgraded to "panpipe", where each side
//     ends its data by shutting down its half of the socket, or over a
//     WebSocket with binary messages, where an empty message ends the data of
//     the side that sends it.
//   - A program ends in this order: it shuts down its half, reads to the end,
//     closes. Closing before is a cut, and the far side sees a failure.
//   - The kernel does not always tell a program that has ended its data from
//     one that has died. With "Panpipe-End: announced" in the request to
//     upgrade, an end counts only after POST connections/{id}/end.
package api

// Prefix is the path under which all versioned routes are.
const Prefix = "/v1"

// UpgradeProtocol is the token of the HTTP Upgrade header for raw bytes.
const UpgradeProtocol = "panpipe"

// EndHeader is the header of a request to upgrade to UpgradeProtocol. With the
// value EndAnnounced the program's data ends well only if it has said so with
// POST connections/{id}/end before it shut down its half of the socket;
// anything else is a cut.
const (
	EndHeader    = "Panpipe-End"
	EndAnnounced = "announced"
)

// ConnectionHeader is the header of an upgraded answer that names the
// connection, for the route connections/{id}.
const ConnectionHeader = "Panpipe-Connection"
