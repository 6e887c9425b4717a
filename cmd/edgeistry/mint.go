package main

import (
	"crypto/rand"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/phrase"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) capMintCommand() *cobra.Command {
	var w wishFlags
	var branch int
	var mirror, noMirror bool
	cmd := &cobra.Command{
		Use:   "mint SERVICE [WISH ...]",
		Short: "Make a new capability from the owner's key (no node, no network)",
		Long: `Mint makes a capability of a service that this home owns. It can be revoked apart from all others of its branch, which
"cap attenuate" of the owner's capability cannot: branches 1 to 14 are yours to give to groups of holders.

` + wishHelp + `

Without --read, --call and --append the capability allows everything except what the other flags limit.

A capability that reads is made as a pair: one half for the device, the other (same nonce, same frames, branch 15) for its home nodes,
which answer from the entries they keep while the device sleeps or is away. --no-mirror leaves that half out, and 34 bytes of the
token with it. --mirror makes one for the home nodes alone. It can only read.

` + limitsHelp + `

` + leaseHelp,
		Example: `  edgeistry cap mint greenhouse follow temperature until 2026-12-31 --branch 3 --save greenhouse/lab
  edgeistry cap mint greenhouse --read temperature --tail --until 2026-12-31 --branch 3 --save greenhouse/lab
  edgeistry cap mint greenhouse --mirror --read '*' --save greenhouse/archive`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: c.completeWish(c.completeServices, strings.Clone),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := c.openHome()
			if err != nil {
				return err
			}
			key, err := ownedKey(h, args[0])
			if err != nil {
				return err
			}
			wish, err := c.wish(cmd, args[1:], &w, key.ID)
			if err != nil {
				return err
			}
			number, err := mintBranch(cmd, branch, mirror, wish)
			if err != nil {
				return err
			}
			header := capability.Header{Branch: number, Hint: key.ID.Hint(), Epoch: key.Epoch, Generation: key.Generations[number]}
			if _, err := rand.Read(header.Nonce[:]); err != nil {
				return failedf("mint: %w", err)
			}
			if mirror && noMirror {
				return usagef("--mirror and --no-mirror exclude each other")
			}
			if w.guard != "" {
				return usagef("--guard: mint makes no such frame").Try("edgeistry cap attenuate --guard, with what mint gave")
			}
			spec, err := wish.Spec()
			if err != nil {
				return usagef("%w", err)
			}
			first, err := spec.Encode()
			if err != nil {
				return usagef("%w", err).Try("fewer or shorter permissions in one capability")
			}
			root := key.EpochKey.Branch(key.Epoch, number, header.Generation)
			var p *capability.Capability
			if mirror || noMirror {
				p, err = capability.Mint(key.ID, root, header, first)
			} else {
				generation := key.Generations[capability.BranchMirror]
				p, err = capability.MintPair(key.ID, root, header, key.EpochKey.Branch(key.Epoch, capability.BranchMirror, generation), generation, first)
			}
			if err != nil {
				return failedf("%w", err)
			}
			return c.deliver(p, &w)
		},
	}
	w.register(cmd)
	cmd.Flags().IntVar(&branch, "branch", 1, "`BRANCH` 1..14: what is revoked together")
	cmd.Flags().BoolVar(&mirror, "mirror", false, "for the mirror branch alone: read what home nodes keep")
	cmd.Flags().BoolVar(&noMirror, "no-mirror", false, "without the half that home nodes answer to")
	return cmd
}

// mintBranch returns the branch to mint in.
func mintBranch(cmd *cobra.Command, branch int, mirror bool, w phrase.Wish) (uint8, error) {
	if !mirror {
		if branch < 1 || branch >= capability.BranchMirror {
			return 0, usagef("--branch %d is not within 1..14 (0 is the owner's, 15 is made with --mirror)", branch)
		}
		return uint8(branch), nil
	}
	if cmd.Flags().Changed("branch") {
		return 0, usagef("--mirror and --branch exclude each other")
	}
	if len(w.Call)+len(w.Append) > 0 || w.Time {
		return 0, usagef("--mirror can only read: leave out --call, --append and --set-time")
	}
	return capability.BranchMirror, nil
}

// ownedKey returns the key of a service that this home owns.
func ownedKey(h *state.State, nameOrID string) (*state.ServiceKey, error) {
	id, err := service(h, nameOrID)
	if err != nil {
		return nil, err
	}
	key, err := h.Keys.Get(id)
	if errors.Is(err, state.ErrNotFound) {
		return nil, notFoundf("this home does not own the service %s: only its owner can mint", nameOrID).
			Try("edgeistry cap attenuate, with a capability of that service")
	}
	if err != nil {
		return nil, failedf("%w", err)
	}
	return key, nil
}

// service reads a service ID or a local name.
func service(h *state.State, nameOrID string) (edgeistry.ServiceID, error) {
	id, err := h.Names.Service(nameOrID)
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, state.ErrNotFound):
		return id, notFoundf("%w", err).Try("edgeistry service ls, or the service's ID (k51...)")
	}
	var damaged *state.FileError
	if errors.As(err, &damaged) {
		return id, failedf("%w", err)
	}
	return id, usagef("%w", err)
}
