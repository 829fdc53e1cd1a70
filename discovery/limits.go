package discovery

import "time"

// Figures of the walk and of joining. They are told in the package comment.
const (
	Alpha = 10 // asks in flight at once
	K     = 20 // nearest nodes that end a walk; entries of a list of closer nodes

	maxAsked = 200  // nodes asked in one walk
	maxKnown = 1000 // candidates kept in one walk
	maxAddrs = 8    // addresses of one node in a list

	early = 3 // connected nodes asked at once, wherever they are

	guessTypical = 300 * time.Millisecond // for a first answer
	minSlow      = 20 * time.Millisecond  // nobody is slow before that
	minPatience  = time.Second            // for the last ones out

	fewServers   = 4                // below it, join peers are tried
	suspectFor   = 30 * time.Second // a silent node is asked last
	learnedFor   = 2 * time.Minute  // life of an address that an answer told
	sightingLife = time.Hour        // evidence about reachability
	maxSightings = 64               // of each kind

	emitPause    = time.Second     // between answers to another emitter of reachability
	settleDelay  = time.Second     // for interface addresses to stop changing
	storeTimeout = 5 * time.Second // for the PeerStore
)
