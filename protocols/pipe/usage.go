package pipe

// Usage is how much of its caps a Service uses now.
type Usage struct {
	Conns       int // pipe connections open, both directions
	Requests    int // binding requests that are being served
	Records     int // records and marks held for others
	RecordBytes int // counted for them
	Cached      int // pipes in the cache
	Revocations int // bytes of revocations remembered for own use
}

// Usage tells how much of its caps the service uses now.
func (s *Service) Usage() Usage {
	u := Usage{Conns: s.places.used(), Requests: s.serving.used(), Cached: s.cache.len(), Revocations: s.revoked.used()}
	s.holderMu.Lock()
	defer s.holderMu.Unlock()
	u.Records, u.RecordBytes = s.holder.Size()
	return u
}
