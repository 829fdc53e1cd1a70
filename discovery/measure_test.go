//go:build measure

package discovery

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"

	"github.com/panpipe-net/panpipe/protocols/wire"
)

func TestMeasure(t *testing.T) {
	size, _ := strconv.Atoi(os.Getenv("N"))
	high, _ := strconv.Atoi(os.Getenv("CONNS"))
	synctest.Test(t, func(t *testing.T) {
		w := crowd(t, size, func() []libp2p.Option {
			cm, err := connmgr.NewConnManager(high*8/10, high, connmgr.WithGracePeriod(time.Second), connmgr.WithSilencePeriod(time.Second))
			if err != nil {
				panic(err)
			}
			return []libp2p.Option{libp2p.ConnectionManager(cm)}
		})
		time.Sleep(3 * time.Minute)
		conns, table, maxc := 0, 0, 0
		for _, n := range w.nodes {
			c := len(n.host.Network().Peers())
			conns += c
			maxc = max(maxc, c)
			table += n.State().Table
		}
		fmt.Println("mean connections", conns/size, "max", maxc, "table", table/size)
		var resolve, bind, full []float64
		asked := 0
		for i := range 100 {
			n := w.nodes[(i*7)%size]
			key := wire.Key(sha256.Sum256(fmt.Append(nil, "key", i)))
			want := w.nearestOf(key, nil)
			if slices.Contains(want, n.host.ID()) {
				continue
			}
			for _, k := range []int{1, 5, 1000} {
				ctx, cancel := context.WithCancel(t.Context())
				var mu sync.Mutex
				got := 0
				began := time.Now()
				r, _ := n.Walk(ctx, key, func(ctx context.Context, p peer.AddrInfo) ([]peer.AddrInfo, error) {
					closer, err := n.ask(ctx, key, p)
					mu.Lock()
					defer mu.Unlock()
					if err == nil && slices.Contains(want, p.ID) {
						if got++; got == k {
							cancel()
						}
					}
					return closer, err
				})
				took := float64(time.Since(began)) / float64(virtualRTT)
				switch k {
				case 1:
					resolve = append(resolve, took)
					asked += r.Asked
				case 5:
					bind = append(bind, took)
				default:
					full = append(full, took)
				}
				cancel()
				time.Sleep(5 * time.Second)
			}
		}
		for name, v := range map[string][]float64{"resolve": resolve, "bind": bind, "full": full} {
			slices.Sort(v)
			fmt.Printf("%s n=%d p50 %.2f p90 %.2f p99 %.2f\n", name, len(v), v[len(v)/2], v[len(v)*9/10], v[len(v)*99/100])
		}
		fmt.Println("asked per resolve", asked/len(resolve))
		w.close()
	})
}
