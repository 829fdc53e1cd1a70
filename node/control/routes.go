package control

import (
	_ "embed"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/panpipe-net/panpipe/node/control/api"
)

//go:embed openapi.json
var openAPI []byte

// routes is everything that the API serves. Each line is wrapped read or write.
func (s *Server) routes() []route {
	return []route{
		{"GET", "/v1/status", "How the node is doing.", read(call(s.status))},
		{"GET", "/v1/peers", "The connected nodes.", read(call(s.peers))},
		{"DELETE", "/v1/peers/{peer}", "Closes every path to a peer. What goes over links goes on over new ones.", write(call(s.disconnect))},
		{"PUT", "/v1/listening", "Has the node listen on these addresses instead, until it ends. Connections at other ports are closed.", write(call(s.relisten))},
		{"GET", "/v1/id", "Who the node is.", read(call(s.id))},
		{"GET", "/v1/ticket", "What others need to join through this node.", read(call(s.ticket))},
		{"GET", "/v1/limits", "The caps of the node, and the settings that move them.", read(call(s.limits))},
		{"GET", "/v1/version", "The version of the program.", read(call(s.version))},
		{"GET", "/v1/config", "The configuration that the node runs with.", read(call(s.config))},
		{"GET", "/v1/doctor", "Examines the node: what is wrong, why, and what to do.", read(call(s.doctor))},
		{"GET", "/v1/events", "Server-sent events; Last-Event-ID resumes.", read(stream[api.EventsQuery, none, api.Event](eventMedia, s.events))},
		{"GET", "/v1/openapi.json", "This description.", read(plain(jsonMedia, asset(jsonMedia, openAPI)))},

		{"GET", "/v1/pipes", "The pipes that the node keeps.", read(call(s.pipes))},
		{"POST", "/v1/pipes", "Creates a pipe owned by the node.", write(creates(call(s.createPipe)))},
		{"GET", "/v1/pipes/{ref}", "One pipe.", read(call(s.pipe))},
		{"DELETE", "/v1/pipes/{ref}", "Forgets a pipe. Whoever serves it goes on.", write(call(s.removePipe))},
		{"GET", "/v1/pipes/{ref}/resolve", "Who serves a pipe, and where.", read(call(s.resolve))},
		{"GET", "/v1/explain/{ref}", "Explains a pipe, a peer, or the contact pipe of an account: finds it, dials it, and tells how each step went.", write(call(s.explain))},
		{"GET", "/v1/pipes/{ref}/dial", "Dials a pipe; upgrades to raw bytes or WebSocket.", write(upgrade(s.dial))},
		{"POST", "/v1/pipes/{ref}/listen", "Binds a pipe while the request lives; streams offered connections, one JSON object a line.", write(stream[none, api.ListenRequest, api.ListenEvent](ndjsonMedia, s.listen))},
		{"DELETE", "/v1/pipes/{ref}/listen", "Ends a listen of a pipe; answers when its binding is withdrawn.", write(call(s.unlisten))},
		{"GET", "/v1/connections", "Connections that pass through the API, and the last ones that ended.", read(call(s.listConnections))},
		{"GET", "/v1/connections/{id}", "With an upgrade to raw bytes or WebSocket, takes an offered connection; without, tells about it.", write(stream[none, none, api.Connection](jsonMedia, s.connection))},
		{"POST", "/v1/connections/{id}/end", "Announces that the program is about to shut down its half, having written all.", write(call(s.endConnection))},
		{"GET", "/v1/pipes/{ref}/grants", "The capabilities that the node has given for a pipe.", read(call(s.grants))},
		{"POST", "/v1/pipes/{ref}/grants", "Gives a capability.", write(creates(call(s.grant)))},
		{"POST", "/v1/revocations", "Voids a capability that the node has given.", write(call(s.revoke))},

		{"GET", "/v1/gateway/rules", "How the rules of the gateway stand.", read(withGateway(s, s.gatewayRules))},
		{"POST", "/v1/gateway/rules", "Adds a rule, or changes the one that it stands for in place: its channels go on.", write(withGateway(s, s.putGatewayRule))},
		{"PUT", "/v1/gateway/rules", "Makes these the rules: what is there is kept or changed in place, the rest is removed and drains.", write(withGateway(s, s.applyGatewayRules))},
		{"DELETE", "/v1/gateway/rules/{rule}", "Removes a rule.", write(withGateway(s, s.removeGatewayRule))},
		{"GET", "/v1/gateway/rules/{rule}/channels", "The open channels of a rule.", read(withGateway(s, s.gatewayChannels))},

		{"GET", "/v1/account", "The account that the node is a device of.", read(withAccounts(s, s.account))},
		{"POST", "/v1/account/drafts", "Makes a new account and its recovery file, and keeps neither.", write(creates(withAccounts(s, s.draftAccount)))},
		{"POST", "/v1/account", "Keeps the account of the last draft, whose recovery file is written down.", write(creates(withAccounts(s, s.keepAccount)))},
		{"DELETE", "/v1/account", "Has this device leave the account, and erases what it knows of it.", write(withAccounts(s, s.logout))},
		{"POST", "/v1/account/import", "Brings an account back from its recovery file.", write(creates(withAccounts(s, s.importAccount)))},
		{"POST", "/v1/account/export", "Makes a recovery file of the account as it is now, with the root key of an earlier one.", write(withAccounts(s, s.exportAccount))},
		{"PUT", "/v1/account/profile", "Changes the account's name, or how strangers reach it.", write(withAccounts(s, s.editProfile))},
		{"PUT", "/v1/account/devices/{device}", "Names a device.", write(withAccounts(s, s.nameDevice))},
		{"DELETE", "/v1/account/devices/{device}", "Throws a device out of the account.", write(withAccounts(s, s.revokeDevice))},
		{"POST", "/v1/account/link", "Lets a device into the account while the request lives: streams the code and the ticket, then what comes of them, one JSON object a line.", write(stream[none, none, api.LinkEvent](ndjsonMedia, s.linkDevice))},
		{"POST", "/v1/account/join", "Makes the node a device of the account whose code or ticket this is.", write(creates(withAccounts(s, s.joinAccount)))},

		{"GET", "/v1/buddies", "The accounts that the node's account knows.", read(withRoster(s, s.buddies))},
		{"POST", "/v1/buddies", "Asks an account to be a buddy; accepts it, if it has asked too.", write(withRoster(s, s.ask))},
		{"GET", "/v1/buddies/{buddy}", "One account.", read(withBuddy(s, s.buddy))},
		{"DELETE", "/v1/buddies/{buddy}", "Ends a friendship, or takes a request back.", write(withBuddy(s, s.removeBuddy))},
		{"PUT", "/v1/buddies/{buddy}/petname", "Gives a buddy a name that this account alone knows.", write(withBuddy(s, s.setPetname))},
		{"PUT", "/v1/buddies/{buddy}/block", "Keeps an account out, buddy or not. It hears nothing.", write(withBuddy(s, s.block))},
		{"DELETE", "/v1/buddies/{buddy}/block", "Lifts a block.", write(withBuddy(s, s.unblock))},
		{"GET", "/v1/requests", "The requests that wait for an answer.", read(withRoster(s, s.requests))},
		{"POST", "/v1/requests/{account}/accept", "Takes a request.", write(withRoster(s, s.accept))},
		{"DELETE", "/v1/requests/{account}", "Forgets a request. Who asked hears nothing.", write(withRoster(s, s.decline))},
		{"PUT", "/v1/presence", "What buddies see beside the account's name.", write(withRoster(s, s.setPresence))},

		{"GET", "/v1/chats/{buddy}/messages", "A part of a conversation, from its end backwards.", read(withBuddy(s, s.messages))},
		{"POST", "/v1/chats/{buddy}/messages", "Writes a message. It is on the disk with the answer, and goes to all devices of both accounts when they are there.", write(creates(withBuddy(s, s.sendMessage)))},
		{"POST", "/v1/chats/{buddy}/read", "Notes that a person has seen a conversation up to a place.", write(withBuddy(s, s.markRead))},
		{"GET", "/v1/chats/{buddy}/state", "What an application keeps with a conversation.", read(withBuddy(s, s.chatState))},
		{"PUT", "/v1/chats/{buddy}/state", "Writes it, for all devices of both accounts.", write(withBuddy(s, s.setChatState))},
		{"GET", "/v1/sessions", "The sessions that run with devices of buddies, and of this account.", read(withRoster(s, s.sessions))},

		{"GET", "/metrics", "Metrics in Prometheus' text format.", read(plain("text/plain", promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{})))},
		{"GET", "/debug/pprof/", "Profiles of the process.", write(plain("text/html", http.HandlerFunc(pprof.Index)))},
		{"GET", "/debug/pprof/cmdline", "The command line of the process.", write(plain("text/plain", http.HandlerFunc(pprof.Cmdline)))},
		{"GET", "/debug/pprof/profile", "CPU profile; ?seconds=N.", write(plain("application/octet-stream", http.HandlerFunc(pprof.Profile)))},
		{"GET", "/debug/pprof/symbol", "Names of program counters.", write(plain("text/plain", http.HandlerFunc(pprof.Symbol)))},
		{"GET", "/debug/pprof/trace", "Execution trace; ?seconds=N.", write(plain("application/octet-stream", http.HandlerFunc(pprof.Trace)))},
	}
}

func asset(media string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Write(content) //nolint:errcheck // the client has gone; there is nobody to tell
	})
}
