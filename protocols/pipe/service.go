package pipe

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/panpipe-net/panpipe/protocols/link"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

const (
	withdrawTime    = 3 * time.Second // Close waits so long for tombstones to reach their holders
	restoreInterval = time.Hour       // revocations are stored again so often while their capability lives
)

// Service is the active half of the protocol: it answers binding requests,
// resolves, binds, dials and accepts. Its methods may be called from several
// goroutines at once.
type Service struct {
	// Fixed after New.
	cfg      Config
	cache    *cache
	limiter  *rateLimiter
	revoked  *revokedSet
	logs     *readLogs
	known    *knownLogs
	clocks   clocks
	serving  *shares       // of the requests that are being served
	places   *shares       // of the pipe connections that are open
	renewing chan struct{} // wakes renewals
	ctx      context.Context
	cancel   context.CancelFunc

	restoring atomic.Bool // revocations are being brought to their holders again

	stateMu sync.Mutex // held while a BindState is read and written back

	holderMu sync.Mutex // guards holder
	holder   *Holder

	mu        sync.Mutex // guards what follows
	listeners map[ID]*Listener
	byKey     map[wire.Key]*Listener
	described map[wire.Key]Advertisement // of the pipes in the store
	conns     map[*Conn]struct{}
	trails    map[link.Route]*trail
	draining  bool // no new listeners or dials
	ended     bool // no new tasks

	tasks   sync.WaitGroup
	closing sync.Once
	joined  chan struct{} // closed when Close is through
}

// New makes a Service and starts nothing.
func New(cfg Config) (*Service, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Service{
		cfg:       cfg,
		cache:     newCache(cfg.Limits.Cache),
		limiter:   newRateLimiter(cfg.Limits.RequestRate, cfg.Limits.RequestBurst),
		revoked:   newRevokedSet(),
		logs:      newReadLogs(maxReadLogs),
		known:     newKnownLogs(maxKnownLogs),
		serving:   newShares(cfg.Limits.Requests, 0),
		places:    newShares(cfg.Limits.Conns, cfg.Limits.Conns/8),
		renewing:  make(chan struct{}, 1),
		ctx:       ctx,
		cancel:    cancel,
		holder:    NewHolder(cfg.Self, cfg.Limits.Holder),
		listeners: make(map[ID]*Listener),
		byKey:     make(map[wire.Key]*Listener),
		described: make(map[wire.Key]Advertisement),
		conns:     make(map[*Conn]struct{}),
		trails:    make(map[link.Route]*trail),
		joined:    make(chan struct{}),
	}, nil
}

// Run serves until ctx is done or Close is called, and returns when everything
// that the service started has ended. It fails at once when the store does.
func (s *Service) Run(ctx context.Context) error {
	if err := s.recall(ctx); err != nil {
		return err
	}
	s.cfg.Reach.Handle(BindingProtocol(s.cfg.Overlay), s.served(s.serveRequest))
	s.cfg.Reach.Handle(ConnProtocol(s.cfg.Overlay), s.served(s.acceptStream))
	if s.cfg.Links != nil {
		s.cfg.Links.Handle(LinkService, s.acceptLink)
	}
	defer s.unhandle() // Close may have come before Handle
	s.spawn(s.renewals)
	s.upkeep(ctx)
	return s.Close() //nolint:contextcheck // what is bound is withdrawn after ctx is over
}

func (s *Service) unhandle() {
	s.cfg.Reach.Unhandle(BindingProtocol(s.cfg.Overlay))
	s.cfg.Reach.Unhandle(ConnProtocol(s.cfg.Overlay))
	if s.cfg.Links != nil {
		s.cfg.Links.Handle(LinkService, nil)
	}
}

// recall reads back what the service must know before it answers.
func (s *Service) recall(ctx context.Context) error {
	pipes, err := s.cfg.Store.Pipes(ctx)
	if err != nil {
		return err
	}
	for _, p := range pipes {
		s.describe(p.Advertisement)
	}
	revocations, err := s.cfg.Store.Revocations(ctx, time.Now())
	if err != nil {
		return err
	}
	for _, r := range revocations {
		s.revoked.keep(r.Pipe)
		s.revoked.add(r.Pipe, r.Nonce, r.Expiry, r.Envelope, time.Now())
	}
	return nil
}

// describe remembers an advertisement, so that whoever asks for the pipe alone
// is told it.
func (s *Service) describe(a Advertisement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.described[a.ID().Key()] = a
}

// upkeep does what is due at intervals, until the end.
func (s *Service) upkeep(ctx context.Context) {
	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	restore := time.NewTicker(restoreInterval)
	defer restore.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ctx.Done():
			return
		case now := <-sweep.C:
			s.holderMu.Lock()
			s.holder.Sweep(now)
			s.holderMu.Unlock()
			s.revoked.sweep(now)
			s.lookAround()
		case <-restore.C:
			s.spawn(s.restoreRevocations)
		}
	}
}

// Close withdraws what is bound, closes connections, ends Run and joins
// everything. It takes at most a few seconds and is idempotent.
func (s *Service) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.draining = true
		s.mu.Unlock()
		s.closeListeners()
		s.unhandle()
		s.mu.Lock()
		s.ended = true
		open := make([]*Conn, 0, len(s.conns))
		for c := range s.conns {
			open = append(open, c)
		}
		s.mu.Unlock()
		s.cancel()
		for _, c := range open {
			c.Close()
		}
		s.tasks.Wait()
		close(s.joined)
	})
	<-s.joined
	return nil
}

// closeListeners withdraws all at the same time: several in one sweep.
func (s *Service) closeListeners() {
	all := s.Listeners()
	if len(all) == 1 {
		all[0].Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), withdrawTime)
	defer cancel()
	var publications []*publication
	for _, l := range all {
		l.closeBy(func() {
			if r, ok := l.tombstone(ctx); ok {
				publications = append(publications, s.newPublication(ctx, r, withdrawTime))
			}
		})
	}
	limits := defaultSweepLimits()
	limits.alpha *= 5 // there is little time
	s.publishAll(publications, limits, EventWithdraw, withdrawTime)
	for _, p := range publications {
		<-p.over
	}
}

// spawn runs task in a goroutine that Close ends and joins. It reports false
// when the service has ended.
func (s *Service) spawn(task func(ctx context.Context)) bool {
	if !s.begin() {
		return false
	}
	go func() {
		defer s.tasks.Done()
		task(s.ctx)
	}()
	return true
}

// beyond is ctx without its end, for work that goes on when the caller has what
// it wanted: it ends with the service, or after a time.
func (s *Service) beyond(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

func (s *Service) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.tasks.Add(1)
	return true
}

// served makes a stream handler whose runs are joined.
func (s *Service) served(handle func(network.Stream)) func(network.Stream) {
	return func(st network.Stream) {
		if !s.begin() {
			st.Reset()
			return
		}
		defer s.tasks.Done()
		stop := context.AfterFunc(s.ctx, func() { st.Reset() })
		defer stop()
		handle(st)
	}
}

// place takes a place for one more connection.
func (s *Service) place(of share) error {
	if most, ok := s.places.take(of); !ok {
		return s.noPlace(of, most)
	}
	return nil
}

// dialled counts a connection that this node has dialled, and refuses one too
// many.
func (s *Service) dialled(c *Conn) error {
	if err := s.place(ownShare); err != nil {
		return err
	}
	return s.track(c, ownShare)
}

// track keeps a connection that has a place, which goes with it. It fails when
// the service has ended.
func (s *Service) track(c *Conn, of share) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.places.give(of)
		return errClosed()
	}
	s.conns[c] = struct{}{}
	c.onClose = func() {
		s.places.give(of)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	}
	return nil
}

// noPlace says which cap a connection met.
func (s *Service) noPlace(of share, most int) error {
	err := wire.LimitError("pipe connections", int64(s.cfg.Limits.Conns), settingConns)
	if of != ownShare {
		err = wire.LimitError("pipe connections of one node or address group, as many as are free", int64(most), settingConns)
	}
	s.limited(CapConns, err)
	return err
}

// settingConns is the key that moves the cap of pipe connections.
const settingConns = "limits.pipe_connections"

func (s *Service) trace(kind EventKind, err error, took time.Duration) {
	s.cfg.Tracer.Trace(Event{Kind: kind, Code: wire.CodeOf(err), Took: took})
}

// hostile counts something in an answer that no honest node gives.
func (s *Service) hostile(err error) { s.trace(EventHostile, err, 0) }

func errClosed() error { return wire.Errorf(wire.Closed, "the pipe service is closed") }
