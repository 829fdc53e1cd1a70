package buddy

import (
	"io"
	"math"
	"time"

	"github.com/panpipe-net/panpipe/protocols/buddy/pb"
	"github.com/panpipe-net/panpipe/protocols/identity"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

// Frame is one thing said on a roster link: a Status, Secret, Log, Ping, Pong,
// Leave, Digest, Profile or Request.
type Frame interface{ message() *pb.Frame }

type (
	// Status is what a device shows of itself.
	Status struct {
		Name, Text string
		Attends    bool // a person there looks at the reader's account
	}
	// Secret is the presence secret of the sender's account.
	Secret []byte
	// Log is the canonical device log of the sender's account, not looked into.
	Log []byte
	// Ping is answered by Pong.
	Ping struct{}
	// Pong answers a Ping.
	Pong struct{}
	// Leave says that the device goes offline.
	Leave struct{}
	// Digest says which account the sender has.
	Digest struct {
		Head    identity.Hash // of the device log
		Profile [32]byte      // SHA-256 of the canonical profile
		Current bool          // it has the profile key of the log's generation
	}
	// Profile brings an account.Bundle, or the canonical bytes of an
	// account.Profile with what has changed.
	Profile struct{ Bundle, Delta []byte }
	// Request passes a buddy request on.
	Request struct {
		Account  identity.Principal
		Ask      Ask
		Log      []byte // canonical device log of the account, not looked into
		At       time.Time
		Declined bool // forget it
	}
)

func (f Status) message() *pb.Frame {
	return &pb.Frame{Frame: &pb.Frame_Status{Status: &pb.Status{Name: f.Name, Text: f.Text, Attends: f.Attends}}}
}

func (f Secret) message() *pb.Frame {
	return &pb.Frame{Frame: &pb.Frame_Secret{Secret: &pb.Secret{Advertisement: f}}}
}

func (f Log) message() *pb.Frame { return &pb.Frame{Frame: &pb.Frame_Log{Log: &pb.Log{Log: f}}} }

func (Ping) message() *pb.Frame { return &pb.Frame{Frame: &pb.Frame_Ping{Ping: &pb.Ping{}}} }

func (Pong) message() *pb.Frame { return &pb.Frame{Frame: &pb.Frame_Pong{Pong: &pb.Pong{}}} }

func (Leave) message() *pb.Frame { return &pb.Frame{Frame: &pb.Frame_Leave{Leave: &pb.Leave{}}} }

func (f Digest) message() *pb.Frame {
	return &pb.Frame{Frame: &pb.Frame_Digest{Digest: &pb.Digest{Head: f.Head[:], Profile: f.Profile[:], Current: f.Current}}}
}

func (f Profile) message() *pb.Frame {
	return &pb.Frame{Frame: &pb.Frame_Profile{Profile: &pb.Profile{Bundle: f.Bundle, Delta: f.Delta}}}
}

func (f Request) message() *pb.Frame {
	return &pb.Frame{Frame: &pb.Frame_Request{Request: &pb.Request{
		Account: f.Account.Bytes(), Name: f.Ask.Name, Note: f.Ask.Note, Secret: f.Ask.Secret,
		Log: f.Log, At: uint64(max(0, f.At.UnixMilli())), Declined: f.Declined,
	}}}
}

// WriteFrame sends f.
func WriteFrame(w io.Writer, f Frame) error { return wire.WriteMessage(w, f.message(), MaxOwnFrame) }

// ReadFrame reads what WriteFrame wrote and checks it. own says that the far
// side is a device of the same account, which alone may say some things and
// longer ones. A frame of a later version is nil.
func ReadFrame(r io.Reader, own bool) (Frame, error) {
	limit := MaxFrame
	if own {
		limit = MaxOwnFrame
	}
	var m pb.Frame
	if err := wire.ReadMessage(r, &m, limit); err != nil {
		return nil, err
	}
	f, err := parseFrame(&m, own)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "roster: %w", err)
	}
	return f, nil
}

func parseFrame(m *pb.Frame, own bool) (Frame, error) {
	switch f := m.GetFrame().(type) {
	case *pb.Frame_Status:
		s := Status{Name: f.Status.GetName(), Text: f.Status.GetText(), Attends: f.Status.GetAttends()}
		if err := CheckLine("name", s.Name, MaxName); err != nil {
			return nil, err
		}
		return s, CheckLine("status", s.Text, MaxStatus)
	case *pb.Frame_Secret:
		_, err := ParseSecret(f.Secret.GetAdvertisement())
		return Secret(f.Secret.GetAdvertisement()), err
	case *pb.Frame_Log:
		return Log(f.Log.GetLog()), checkLog(f.Log.GetLog())
	case *pb.Frame_Ping:
		return Ping{}, nil
	case *pb.Frame_Pong:
		return Pong{}, nil
	case *pb.Frame_Leave:
		return Leave{}, nil
	}
	if !own {
		if m.GetFrame() != nil {
			return nil, wire.Errorf(wire.Forbidden, "another account's device says what only own devices may")
		}
		return nil, nil
	}
	return parseOwnFrame(m)
}

func parseOwnFrame(m *pb.Frame) (Frame, error) {
	switch f := m.GetFrame().(type) {
	case *pb.Frame_Digest:
		var d Digest
		if len(f.Digest.GetHead()) != len(d.Head) || len(f.Digest.GetProfile()) != len(d.Profile) {
			return nil, wire.Errorf(wire.BadRequest, "digest: hashes of %d bytes are needed", len(d.Head))
		}
		return Digest{identity.Hash(f.Digest.GetHead()), [32]byte(f.Digest.GetProfile()), f.Digest.GetCurrent()}, nil
	case *pb.Frame_Profile:
		p := Profile{Bundle: f.Profile.GetBundle(), Delta: f.Profile.GetDelta()}
		if (len(p.Bundle) > 0) == (len(p.Delta) > 0) {
			return nil, wire.Errorf(wire.BadRequest, "profile: either a bundle or a delta is needed")
		}
		return p, nil
	case *pb.Frame_Request:
		return parseRequest(f.Request)
	}
	return nil, nil
}

func parseRequest(m *pb.Request) (Frame, error) {
	who, err := identity.PrincipalFromBytes(m.GetAccount())
	if err != nil {
		return nil, err
	}
	if who.Kind() != identity.KindAccount || m.GetAt() > math.MaxInt64/1000 {
		return nil, wire.Errorf(wire.BadRequest, "request of %s, which is no account, or beyond all time", who)
	}
	q := Request{
		Account: who, Log: m.GetLog(), At: time.UnixMilli(int64(m.GetAt())), Declined: m.GetDeclined(), //nolint:gosec // checked above
		Ask: Ask{Name: m.GetName(), Note: m.GetNote(), Secret: m.GetSecret()},
	}
	if q.Declined {
		return q, nil
	}
	if err := checkLog(q.Log); err != nil {
		return nil, err
	}
	return q, q.Ask.Check()
}

func checkLog(log []byte) error {
	if len(log) == 0 || len(log) > identity.MaxDeviceLog {
		return wire.Errorf(wire.TooLarge, "device log of %d bytes, at most %d", len(log), identity.MaxDeviceLog)
	}
	return nil
}
