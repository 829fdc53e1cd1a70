package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"rsc.io/qr"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func newAccountLink(a *app) *cobra.Command {
	var q api.AccountJoinRequest
	cmd := &cobra.Command{
		Use: "link [CODE|TICKET]", Short: "Let another device into the account; with a code, be that device",
		Long: "Without an argument, on a device of the account: shows a code to type on the new device,\n" +
			"and a ticket to copy or scan, and waits until one of them is used. Both are good for ten\n" +
			"minutes, one device and three tries. It exits when the device is in, and its code and\n" +
			"ticket are void then, as they are when it is interrupted.\n\n" +
			"With a code or a ticket, on the new device: joins that account. A code finds the other\n" +
			"device in the overlay; a ticket says where it is.",
		Example: "  panpipe account link                              on the old device\n" +
			"  panpipe account link k7qm-2fxd-anchor-velvet      on the new one",
		RunE: does(func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if cmd.Flags().Changed("device") {
					return wire.Errorf(wire.BadRequest, "--device names the new device: it goes with its code or ticket")
				}
				return a.linkDevice(cmd.Context())
			}
			q.Invitation = strings.Join(args, " ") // a code may be typed with spaces
			return a.joinAccount(cmd.Context(), q)
		}),
	}
	deviceFlag(cmd, &q.Device)
	return cmd
}

func (a *app) joinAccount(ctx context.Context, q api.AccountJoinRequest) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	a.progress("looking for the other device…")
	acct, err := c.JoinAccount(ctx, q)
	if err != nil {
		return err
	}
	return a.print(acct, func(w io.Writer) { printAccount(w, acct) })
}

// linkDevice shows a code and a ticket, and what comes of them.
func (a *app) linkDevice(ctx context.Context) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	for e, err := range c.LinkDevice(ctx) {
		if err != nil {
			return err
		}
		if a.json {
			if err := a.printJSON(a.out, e); err != nil {
				return err
			}
		}
		switch e.Kind {
		case api.LinkOffered:
			if !a.json {
				a.showOffer(e)
			}
			a.progress("waiting for the other device…")
		case api.LinkFailed:
			if !a.json && !a.quiet {
				fmt.Fprintf(a.err, "device %s tried in vain: %s (%s)\n", e.Device, e.Problem.Detail, e.Problem.Code)
			}
		case api.LinkLinked:
			if !a.json {
				fmt.Fprintf(a.out, "linked %s\n", strings.TrimSpace(e.Name+"  "+e.Device))
			}
		case api.LinkClosed:
			return e.Problem.Err()
		}
	}
	return nil
}

// showOffer prints what is carried to the new device; on a terminal as QR code
// too, if that is wide enough.
func (a *app) showOffer(e api.LinkEvent) {
	fmt.Fprintf(a.out, "on the new device, which runs a node in this overlay:\n\n  %s\n", a.bold(a.out, "panpipe account link "+e.Code))
	if e.Ticket != "" {
		fmt.Fprintf(a.out, "\nor, wherever it is, with this ticket:\n\n  panpipe account link %s\n", e.Ticket)
		a.showQR(e.Ticket)
	}
	if e.Expires != nil {
		fmt.Fprintf(a.out, "\ngood until %s, for one device and three tries\n", untilText(*e.Expires))
	}
}

// quietZone is the light frame round a QR code, in its own modules.
const quietZone = 2

func (a *app) showQR(ticket string) {
	out, ok := a.out.(*os.File)
	if !ok || !isTerminal(out) {
		return
	}
	text := strings.ToUpper(ticket) // QR codes have a short form for capitals
	code, err := qr.Encode(text, qr.L)
	width, _, sizeErr := term.GetSize(int(out.Fd()))
	if err != nil || sizeErr != nil || code.Size+2*quietZone > width {
		return
	}
	fmt.Fprintln(a.out)
	qrterminal.GenerateWithConfig(text, qrterminal.Config{
		Level: qr.L, Writer: a.out, HalfBlocks: true, QuietZone: quietZone,
		BlackChar: qrterminal.BLACK_BLACK, WhiteChar: qrterminal.WHITE_WHITE,
		BlackWhiteChar: qrterminal.BLACK_WHITE, WhiteBlackChar: qrterminal.WHITE_BLACK,
	})
}
