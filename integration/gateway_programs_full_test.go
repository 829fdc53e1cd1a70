//go:build full

package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// The programs that go through the gateway as they are, each with its daemon.

func foreigners() []foreigner {
	return []foreigner{
		{"nginx and curl", serveNginx, useCurl},
		{"ssh", serveSSHD, useSSH},
		{"PostgreSQL", servePostgres, usePostgres},
		{"Redis", serveRedis, useRedis},
		{"git", serveGit, useGit},
		{"rsync", serveRsync, useRsync},
		{"WebSocket", serveWebSocket, useWebSocket},
	}
}

const (
	smallFiles = 200
	someFile   = 32 << 20 // bytes
)

func serveNginx(s *stage) string {
	s.put(blob(0, someFile), "www", "large")
	for i := range smallFiles {
		s.put(blob(byte(i), 1000*i), "www", "small", strconv.Itoa(i))
	}
	s.put([]byte(`
daemon off;
user root;
worker_processes 2;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
	access_log off;
	server { listen 127.0.0.1:8080 backlog=1024; root www; }
}
`), "nginx.conf")
	s.daemon("start worker processes", "nginx", "-p", s.dir, "-c", s.file("nginx.conf"), "-e", "stderr")
	return "127.0.0.1:8080"
}

// useCurl has one large download, not too fast, beside bursts of small ones.
func useCurl(s *stage, addr string, over <-chan struct{}) error {
	large := func(int) error {
		return s.wants(blob(0, someFile), nil, "curl", "-sS", "--fail", "--limit-rate", "16M", "http://"+addr+"/large")
	}
	burst := func(int) error {
		from := fmt.Sprintf("http://%s/small/[0-%d]", addr, smallFiles-1)
		if _, err := s.client(nil, "curl", "-sS", "--fail", "--parallel", "--parallel-max", "100", from, "-o", s.file("got_#1")); err != nil {
			return err
		}
		for i := range smallFiles {
			got, err := os.ReadFile(s.file("got_" + strconv.Itoa(i)))
			if err != nil {
				return err
			}
			if !bytes.Equal(got, blob(byte(i), 1000*i)) {
				return fmt.Errorf("small file %d is another one", i)
			}
		}
		return nil
	}
	return together(func() error { return until(over, large) }, func() error { return until(over, burst) })
}

func serveSSHD(s *stage) string {
	setup := newSSH(s.t, "127.0.0.1:2222")
	if err := os.Symlink(setup.dir, s.file("ssh")); err != nil {
		s.t.Fatal(err)
	}
	s.daemon("Server listening", setup.server(s.t)...)
	return setup.addr
}

// useSSH has a terminal open beside copies of a file.
func useSSH(s *stage, addr string, over <-chan struct{}) error {
	dir, err := os.Readlink(s.file("ssh"))
	if err != nil {
		return err
	}
	who, err := user.Current()
	if err != nil {
		return err
	}
	setup := &sshSetup{dir: dir, user: who.Username}
	terminal := func() error {
		return s.converse(func(d *dialogue) error {
			if err := d.ask("test -t 0 && test -t 1 && echo it is $((20 + 3))", "it is 23"); err != nil {
				return err
			}
			if err := d.squares(over, func(n int) string { return fmt.Sprintf("echo square $((%d * %d))", n, n) }); err != nil {
				return err
			}
			return d.ask("echo bye; exit 0", "bye")
		}, append(setup.client(s.t, addr, "-tt"), "sh")...)
	}
	file := blob(1, someFile)
	copies := func() error {
		return until(over, func(int) error {
			return s.wants(file, bytes.NewReader(file), append(setup.client(s.t, addr), "cat")...)
		})
	}
	return together(terminal, copies)
}

func serveGit(s *stage) string {
	s.put(blob(3, someFile/2), "work", "blob")
	s.put([]byte("one\n"), "work", "file")
	for _, line := range []string{
		"git init -q -b main " + s.file("work"),
		"git -C " + s.file("work") + " config core.compression 0", // the files cannot be compressed
		"git -C " + s.file("work") + " add .",
		"git -C " + s.file("work") + " -c user.name=One -c user.email=one@example.org commit -q -m one",
		"git clone -q --bare " + s.file("work") + " " + s.file("repo.git"),
		"git -C " + s.file("repo.git") + " config core.compression 0",
		"git -C " + s.file("repo.git") + " config core.compression 0",
	} {
		sh(s.t, line)
	}
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	s.daemon("Ready to rumble", filepath.Join(strings.TrimSpace(string(out)), "git-daemon"), "--verbose", "--export-all", "--enable=receive-pack",
		"--reuseaddr", "--listen=127.0.0.1", "--port=9418", "--base-path="+s.dir, s.file("repo.git"))
	return "127.0.0.1:9418"
}

// useGit clones, commits and pushes. git itself sees to every byte of what it
// takes in, and fsck to all of what there is then.
func useGit(s *stage, addr string, over <-chan struct{}) error {
	url := "git://" + addr + "/repo.git"
	return until(over, func(turn int) error {
		clone, err := os.MkdirTemp(s.dir, "clone")
		if err != nil {
			return err
		}
		git := []string{"git", "-C", clone, "-c", "core.compression=0", "-c", "user.name=Two", "-c", "user.email=two@example.org"}
		taken := [][]string{{"init", "-q", "-b", "main"}, {"pull", "-q", url, "main"}}
		given := [][]string{{"add", "more"}, {"commit", "-q", "--allow-empty", "-m", "more"}, {"push", "-q", url, "main"}, {"fsck", "--full", "--strict"}}
		if err := s.clients(git, taken); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(clone, "more"), blob(byte(turn), 4<<20), 0o644); err != nil {
			return err
		}
		if err := s.clients(git, given); err != nil {
			return err
		}
		head, err := s.client(nil, with(git, "rev-parse", "HEAD")...)
		if err != nil {
			return err
		}
		if err := s.wants(head, nil, "git", "-C", s.file("repo.git"), "rev-parse", "main"); err != nil {
			return err
		}
		_, err = s.client(nil, "git", "-C", s.file("repo.git"), "fsck", "--full", "--strict")
		return err
	})
}

func serveRsync(s *stage) string {
	s.put(blob(4, someFile), "sent", "large")
	for i := range smallFiles {
		s.put(blob(byte(i), 100*i), "sent", "small", strconv.Itoa(i))
	}
	s.put(nil, "kept", ".here")
	s.put([]byte(fmt.Sprintf("use chroot = no\nuid = root\ngid = root\n[kept]\npath = %s\nread only = no\n", s.file("kept"))), "rsyncd.conf")
	s.daemon("listening on port", "rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port=8730",
		"--config="+s.file("rsyncd.conf"), "--log-file=/dev/stderr")
	return "127.0.0.1:8730"
}

// useRsync sends a folder there, has it back and compares.
func useRsync(s *stage, addr string, over <-chan struct{}) error {
	url := "rsync://" + addr + "/kept/"
	return until(over, func(int) error {
		return s.clients(nil, [][]string{
			{"rsync", "-a", "--delete", "--ignore-times", "--whole-file", s.file("sent") + "/", url},
			{"rsync", "-a", "--delete", "--ignore-times", "--whole-file", url, s.file("back") + "/"},
			{"diff", "-r", s.file("sent"), s.file("back")},
		})
	})
}

func serveWebSocket(s *stage) string {
	js, err := filepath.Abs("js")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(js, s.file("js")); err != nil {
		s.t.Fatal(err)
	}
	s.daemon("listening", s.file("js/node_modules/.bin/node"), s.file("js/websocket.js"), "serve", "127.0.0.1", "8081")
	return "127.0.0.1:8081"
}

// useWebSocket keeps messages under way for a while at least.
func useWebSocket(s *stage, addr string, over <-chan struct{}) error {
	return s.converse(func(d *dialogue) error {
		<-over
		return nil
	}, s.file("js/node_modules/.bin/node"), s.file("js/websocket.js"), "talk", "ws://"+addr+"/")
}
