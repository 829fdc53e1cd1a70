package wire

import (
	"encoding/binary"
	"io"

	"google.golang.org/protobuf/proto"
)

// WriteMessage writes m as uvarint length ‖ protobuf in a single Write. A
// message above limit bytes is TooLarge and nothing is written.
func WriteMessage(w io.Writer, m proto.Message, limit int) error {
	size := proto.Size(m)
	if size > limit {
		return Errorf(TooLarge, "message %s has %d bytes, at most %d", m.ProtoReflect().Descriptor().Name(), size, limit)
	}
	b := binary.AppendUvarint(make([]byte, 0, size+binary.MaxVarintLen32), uint64(size))
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
	if err != nil {
		return Errorf(Internal, "message %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	_, err = w.Write(b)
	return err
}

// ReadMessage reads what WriteMessage wrote into m, which is to be empty, and not
// a byte more, so that raw data may follow on the same stream. A length above limit is TooLarge, bytes
// that are not the message are BadRequest; io.EOF before the first byte is
// returned as it is, and io.ErrUnexpectedEOF after it, like any other error of
// r.
func ReadMessage(r io.Reader, m proto.Message, limit int) error {
	size, err := readLength(r)
	if err != nil {
		return err
	}
	if size > uint64(limit) {
		return Errorf(TooLarge, "message %s of %d bytes announced, at most %d", m.ProtoReflect().Descriptor().Name(), size, limit)
	}
	if size == 0 {
		return nil // of which there are many: the answer to each dialer that is accepted
	}
	b, err := readBytes(r, int(size))
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return Errorf(BadRequest, "message %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return nil
}

// firstRoom is what is set aside for a message on the word of its length alone.
const firstRoom = 4 << 10

// readBytes reads size bytes. It makes room as they come: who announces a long
// message and sends none of it costs next to nothing.
func readBytes(r io.Reader, size int) ([]byte, error) {
	b := make([]byte, min(size, firstRoom))
	for n := 0; ; {
		read, err := io.ReadFull(r, b[n:])
		if n += read; err != nil || n == size {
			return b, err
		}
		b = append(b, make([]byte, min(size-n, n))...)
	}
}

// readLength reads a minimal uvarint byte by byte, so as not to read ahead.
func readLength(r io.Reader) (uint64, error) {
	var b [binary.MaxVarintLen64]byte
	for n := range b {
		if _, err := io.ReadFull(r, b[n:n+1]); err != nil {
			if n > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		if b[n] < 0x80 {
			if v, _, ok := uvarint(b[:n+1]); ok {
				return v, nil
			}
			break
		}
	}
	return 0, Errorf(BadRequest, "message: bad length")
}
