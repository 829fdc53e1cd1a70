package node_test

import (
	"context"
	"fmt"
	"log"

	"github.com/panpipe-net/panpipe/node"
	"github.com/panpipe-net/panpipe/session/account"
	"github.com/panpipe-net/panpipe/session/roster"
)

// withAccount gives a node a new account. What it takes to bring that back,
// d.Recovery, belongs in a file.
func withAccount(ctx context.Context, n *node.Node, name string) *roster.Roster {
	d, err := n.DraftAccount("correct horse battery", account.SetName(name))
	if err == nil {
		err = n.KeepAccount(ctx, d.Account)
	}
	if err != nil {
		log.Fatal(err)
	}
	people, err := n.Roster()
	if err != nil {
		log.Fatal(err)
	}
	return people
}

// answerAll is a chat bot: it takes every buddy request and answers every
// message, also what was written while it was away.
func answerAll(ctx context.Context, people *roster.Roster) (stop func()) {
	return people.Watch(func(e roster.Event) {
		switch {
		case e.Kind == roster.EventRequest:
			for _, asks := range people.Requests() {
				_ = people.Accept(ctx, asks.Account)
			}
		case e.Kind == roster.EventMessage && !e.Message.Mine:
			_, _ = people.Send(ctx, e.Account, "you said: "+e.Message.Text)
		}
	})
}

// Two accounts on two nodes become buddies and chat, with no server between
// them. One is a bot.
func ExampleNode_Roster() {
	ctx := context.Background()
	here := onLoopback(ctx)
	defer here.Close()
	there := onLoopback(ctx, here.Ticket().String())
	defer there.Close()
	bot := withAccount(ctx, there, "bot")
	defer answerAll(ctx, bot)()

	alice := withAccount(ctx, here, "alice")
	accepted, answer := make(chan struct{}, 1), make(chan string, 1)
	defer alice.Watch(func(e roster.Event) {
		switch b, _ := alice.Buddy(e.Account); {
		case e.Kind == roster.EventMessage && !e.Message.Mine:
			answer <- e.Message.Text
		case b.State == account.Accepted:
			select {
			case accepted <- struct{}{}:
			default: // that is known already
			}
		}
	})()
	if _, err := alice.Ask(ctx, bot.Account(), "it is alice"); err != nil {
		log.Fatal(err)
	}
	<-accepted
	if _, err := alice.Send(ctx, bot.Account(), "hello"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-answer)
	// Output: you said: hello
}
