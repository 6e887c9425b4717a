package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// mayBeEmpty are the flags for which an empty text is a value: --text sends no bytes.
var mayBeEmpty = map[string]bool{"text": true}

// emptyArguments is the annotation of a command that takes an empty argument; its value names it.
const emptyArguments = "empty-arguments"

// refuseEmpty fails if a flag was given an empty text, or an argument is empty. A script whose variable is unset would
// otherwise ask for something else: a request with --cap "" would use the owner's capability.
func refuseEmpty(cmd *cobra.Command, args []string) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if failed == nil && f.Changed && !mayBeEmpty[f.Name] && hasEmpty(f.Value) {
			failed = usagef("--%s is given and empty; is a variable of the shell not set?", f.Name).Try("give it a value, or leave --%s out", f.Name)
		}
	})
	if failed != nil || cmd.Annotations[emptyArguments] != "" || cmd.DisableFlagParsing { // the shell completes with an empty word
		return failed
	}
	for i, arg := range args {
		if strings.TrimSpace(arg) == "" {
			return usagef("argument %d is empty; is a variable of the shell not set? %s is used like this: %s", i+1, cmd.CommandPath(), cmd.UseLine())
		}
	}
	return nil
}

// hasEmpty reports whether a text, or an item of a list, holds nothing but white space.
func hasEmpty(v pflag.Value) bool {
	texts := []string{v.String()}
	if l, ok := v.(pflag.SliceValue); ok {
		texts = l.GetSlice()
	} else if v.Type() != "string" {
		return false
	}
	for _, text := range texts {
		if strings.TrimSpace(text) == "" {
			return true
		}
	}
	return false
}

// negative matches what begins like a negative number. No command has a flag that is a digit.
var negative = regexp.MustCompile(`^-\.?[0-9]`)

// numbersAreArguments returns the command line with its arguments behind "--" if one of them is a negative number, which
// the flag parser would take for short flags. The order of arguments, and that of flags, stays.
func numbersAreArguments(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		return args
	}
	cmd.InitDefaultHelpFlag()
	path := len(strings.Fields(cmd.CommandPath())) - 1
	var flags, words []string
	found := false
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			words = append(words, args[i+1:]...)
			i = len(args)
		case negative.MatchString(arg):
			found = true
			words = append(words, arg)
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			words = append(words, arg)
		default:
			flags = append(flags, arg)
			name, isLong := strings.CutPrefix(arg, "--")
			if !isLong || strings.Contains(name, "=") {
				continue
			}
			f := cmd.Flag(name)
			if f != nil && f.NoOptDefVal == "" && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	if !found || len(words) < path {
		return args
	}
	out := append([]string{}, words[:path]...)
	out = append(out, flags...)
	return append(append(out, "--"), words[path:]...)
}
