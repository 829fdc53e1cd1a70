package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/panpipe-net/panpipe/node/control/api"
	"github.com/panpipe-net/panpipe/protocols/wire"
)

func errHasAccount(acct api.Account) error {
	return wire.Errorf(wire.Taken, "this node is a device of %s already", accountWords(acct)).
		WithNext("leave that with panpipe account logout, or run another node: --profile NAME")
}

// recovered is an account whose recovery file was written.
type recovered struct {
	api.Account
	Recovery string `json:"recovery"` // path of the file
}

func newAccountNew(a *app) *cobra.Command {
	var q api.AccountDraftRequest
	var path string
	pass := passphrase{what: "passphrase of the recovery file", flag: "passphrase-file"}
	cmd := &cobra.Command{
		Use: "new --name NAME --recovery FILE", Short: "Make an account, whose first device is this node", Args: takes(),
		Long: "Makes an account, whose first device is this node, and its recovery file, sealed with a\n" +
			"passphrase of at least 8 characters. Whoever has the file and the passphrase owns the\n" +
			"account; without them nobody can bring it back when all devices are lost. Put a copy\n" +
			"of the file where this machine cannot be the reason that it is lost.",
		RunE: does(func(cmd *cobra.Command, _ []string) error {
			switch {
			case q.Name == "":
				return wire.Errorf(wire.BadRequest, "an account needs a name that its buddies see: --name")
			case path == "":
				return wire.Errorf(wire.BadRequest, "an account needs a file for its recovery: --recovery FILE").
					WithNext("choose one that will survive this machine; it is sealed with a passphrase")
			}
			return a.accountNew(cmd, q, path, &pass)
		}),
	}
	cmd.Flags().StringVar(&q.Name, "name", "", "the name that buddies see")
	cmd.Flags().StringVar(&path, "recovery", "", "where to write the recovery file, which is not there yet")
	deviceFlag(cmd, &q.Device)
	pass.bind(cmd, "read the passphrase from the first line of this file")
	return cmd
}

// accountNew has the account kept only when its recovery file is on the disk.
func (a *app) accountNew(cmd *cobra.Command, q api.AccountDraftRequest, path string, pass *passphrase) error {
	ctx := cmd.Context()
	c, err := a.client()
	if err != nil {
		return err
	}
	if err := noAccount(ctx, c); err != nil {
		return err
	}
	if q.Passphrase, err = pass.read(ctx, a, true); err != nil {
		return err
	}
	var acct api.Account
	err = writeRecovery(path, func() (string, error) {
		a.progress("making the account…")
		d, err := c.DraftAccount(ctx, q)
		acct.ID = d.Account
		return d.Recovery, err
	})
	if err != nil {
		return err
	}
	if acct, err = c.KeepAccount(ctx, acct.ID); err != nil {
		return wire.Errorf(wire.CodeOf(err), "the recovery file is written, but the account may not be kept: %w", err).
			WithNext("see panpipe account show; if it shows none, remove %s and try again", path)
	}
	return a.print(recovered{acct, path}, func(w io.Writer) {
		printAccount(w, acct)
		fmt.Fprintf(w, "\nrecovery file %s: put a copy of it where this machine cannot be the reason that it is lost\n", path)
	})
}

// writeRecovery makes a file that is not there yet, has its text made, and has
// it on the disk when it returns. On an error it leaves none.
func writeRecovery(path string, text func() (string, error)) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return wire.Errorf(wire.Taken, "recovery file: %s is there already", path).
			WithNext("choose another name; what is there may be what brings an account back")
	}
	if err != nil {
		return wire.Errorf(wire.BadRequest, "recovery file: %w", err).WithNext("choose a path that can be written")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	content, err := text()
	if err != nil {
		f.Close()
		return err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return wire.Errorf(wire.Internal, "recovery file: %w", err).WithNext("check the space on that disk; nothing was changed")
	}
	return nil
}

// readRecovery reads a recovery file.
func readRecovery(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", wire.Errorf(wire.BadRequest, "recovery file: %w", err).WithNext("check the path")
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, api.MaxBody/2+1))
	switch {
	case err != nil:
		return "", wire.Errorf(wire.BadRequest, "recovery file: %w", err)
	case len(b) > api.MaxBody/2:
		return "", wire.Errorf(wire.TooLarge, "recovery file: %s has more than %d bytes", path, api.MaxBody/2).WithNext("choose the file that panpipe account new wrote")
	}
	return string(b), nil
}

func newAccountImport(a *app) *cobra.Command {
	var q api.AccountImportRequest
	pass := passphrase{what: "passphrase of the recovery file", flag: "passphrase-file"}
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Bring an account back from its recovery file", Args: takes("FILE"),
		Long: "Makes this node a device of the account whose recovery file this is. Other devices stay\n" +
			"in the account if a list of them that is newer than the file can be found, and are left\n" +
			"out otherwise, or with --alone: then link them again. What this signs wins against\n" +
			"whatever a thief has done with a device.",
		RunE: does(func(cmd *cobra.Command, args []string) (err error) {
			if q.Recovery, err = readRecovery(args[0]); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if err := noAccount(cmd.Context(), c); err != nil {
				return err
			}
			if q.Passphrase, err = pass.read(cmd.Context(), a, false); err != nil {
				return err
			}
			a.progress("opening the recovery file…")
			acct, err := c.ImportAccount(cmd.Context(), q)
			if err != nil {
				return err
			}
			return a.print(acct, func(w io.Writer) {
				printAccount(w, acct)
				if len(acct.Devices) == 1 {
					fmt.Fprintln(w, "\nthis is the account's only device now; link others again: panpipe account link")
				} else {
					fmt.Fprintln(w, "\nthe other devices have stayed; throw out what you do not have in your hands: panpipe account revoke DEVICE")
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&q.Alone, "alone", false, "leave all other devices out")
	deviceFlag(cmd, &q.Device)
	pass.bind(cmd, "read the passphrase from the first line of this file")
	return cmd
}

func newAccountExport(a *app) *cobra.Command {
	var q api.AccountExportRequest
	var from string
	var change bool
	pass := passphrase{what: "passphrase of the earlier recovery file", flag: "passphrase-file"}
	fresh := passphrase{what: "new passphrase", flag: "new-passphrase-file"}
	cmd := &cobra.Command{
		Use: "export FILE --from EARLIER", Short: "Write a recovery file of the account as it is now", Args: takes("FILE"),
		Long: "Writes a recovery file with the account's present name, buddies and devices. The root\n" +
			"key comes from an earlier one, which stays good: no device has it. --new-passphrase\n" +
			"seals the new file with another passphrase.",
		RunE: does(func(cmd *cobra.Command, args []string) (err error) {
			if from == "" {
				return wire.Errorf(wire.BadRequest, "the root key is in an earlier recovery file alone: --from EARLIER")
			}
			if q.Recovery, err = readRecovery(from); err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			acct, err := c.Account(cmd.Context())
			if err != nil {
				return err
			}
			if q.Passphrase, err = pass.read(cmd.Context(), a, false); err != nil {
				return err
			}
			if change || fresh.file != "" {
				if q.NewPassphrase, err = fresh.read(cmd.Context(), a, true); err != nil {
					return err
				}
			}
			err = writeRecovery(args[0], func() (string, error) {
				a.progress("sealing the recovery file…")
				return c.ExportAccount(cmd.Context(), q)
			})
			if err != nil {
				return err
			}
			return a.print(recovered{acct, args[0]}, func(w io.Writer) { fmt.Fprintf(w, "recovery file %s\n", args[0]) })
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "an earlier recovery file of the account")
	cmd.Flags().BoolVar(&change, "new-passphrase", false, "ask for another passphrase for the new file")
	pass.bind(cmd, "read the passphrase of the earlier file from the first line of this file")
	fresh.bind(cmd, "read another passphrase for the new file from the first line of this one")
	return cmd
}
