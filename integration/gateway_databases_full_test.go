//go:build full

package integration

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

func servePostgres(s *stage) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is right
	if len(found) == 0 {
		s.t.Fatal("there is no PostgreSQL in /usr/lib/postgresql; install postgresql")
	}
	bin := found[len(found)-1]
	data, err := os.MkdirTemp("", "panpipe-postgres") // where another user may go
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { os.RemoveAll(data) })
	sh(s.t, "chown postgres: "+data)
	as := []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}
	initdb := exec.Command(as[0], append(as[1:], bin+"/initdb", "-D", data, "-A", "trust", "-N", "-E", "UTF8", "--locale", "C")...)
	initdb.Dir = data
	if out, err := initdb.CombinedOutput(); err != nil {
		s.t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.daemon("ready to accept connections", with(as, bin+"/postgres", "-D", data, "-k", data,
		"-c", "listen_addresses=127.0.0.1", "-c", "port=5432", "-c", "fsync=off")...)
	return "127.0.0.1:5432"
}

// usePostgres has a session open beside copies of a table both ways and
// pgbench, whose books must balance.
func usePostgres(s *stage, addr string, over <-chan struct{}) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	at := []string{"-h", host, "-p", port, "-U", "postgres", "-d", "postgres"}
	psql := slices.Concat([]string{"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"}, at)
	session := func() error {
		return s.converse(func(d *dialogue) error {
			return d.squares(over, func(n int) string { return fmt.Sprintf("SELECT 'square ' || %d * %d;", n, n) })
		}, psql...)
	}
	var table bytes.Buffer
	for i := range 200_000 {
		fmt.Fprintf(&table, "%d\t%x\n", i, i*i)
	}
	if _, err := s.client(nil, with(psql, "-c", "CREATE TABLE IF NOT EXISTS numbers (i int, square text)")...); err != nil {
		return err
	}
	copies := func(int) error {
		in := with(psql, "-c", "TRUNCATE numbers", "-c", "COPY numbers FROM STDIN")
		if _, err := s.client(bytes.NewReader(table.Bytes()), in...); err != nil {
			return err
		}
		return s.wants(table.Bytes(), nil, with(psql, "-c", "COPY (SELECT * FROM numbers ORDER BY i) TO STDOUT")...)
	}
	pgbench := slices.Concat([]string{"pgbench", "-n"}, at)
	if _, err := s.client(nil, with(pgbench, "-i", "-q")...); err != nil {
		return err
	}
	transactions := func(int) error {
		out, err := s.client(nil, with(pgbench, "-c", "8", "-j", "2", "-T", "2")...)
		if err == nil && !bytes.Contains(out, []byte("number of failed transactions: 0 ")) {
			err = fmt.Errorf("pgbench: %s", out)
		}
		return err
	}
	err = together(session, func() error { return until(over, copies) }, func() error { return until(over, transactions) })
	if err != nil {
		return err
	}
	return s.wants([]byte("t\n"), nil, with(psql, "-c",
		"SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)")...)
}

func serveRedis(s *stage) string {
	s.daemon("Ready to accept connections", "redis-server", "--bind", "127.0.0.1", "--port", "6379", "--save", "", "--dir", s.dir)
	return "127.0.0.1:6379"
}

// useRedis has redis-benchmark count to a number, from many connections, beside
// a value that is written and read.
func useRedis(s *stage, addr string, over <-chan struct{}) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	const each = 20_000
	cli := []string{"redis-cli", "-h", host, "-p", port, "--raw"}
	counted := func(int) error {
		if _, err := s.client(nil, with(cli, "DEL", "hits")...); err != nil {
			return err
		}
		if _, err := s.client(nil, "redis-benchmark", "-h", host, "-p", port, "-q", "-c", "50", "-n", strconv.Itoa(each), "INCR", "hits"); err != nil {
			return err
		}
		return s.wants([]byte(strconv.Itoa(each)+"\n"), nil, with(cli, "GET", "hits")...)
	}
	value := blob(2, someFile)
	written := func(int) error {
		if err := s.wants([]byte("OK\n"), bytes.NewReader(value), with(cli, "-x", "SET", "value")...); err != nil {
			return err
		}
		return s.wants(append(bytes.Clone(value), '\n'), nil, with(cli, "GET", "value")...)
	}
	if _, err := s.client(nil, "redis-benchmark", "-h", host, "-p", port, "-q", "-c", "50", "-n", "5000", "-t", "set,get,lpush,lrange_100"); err != nil {
		return err
	}
	return together(func() error { return until(over, counted) }, func() error { return until(over, written) })
}
